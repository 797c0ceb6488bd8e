package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestResolveFetchesWhatAModelNeedsAndNothingElse(t *testing.T) {
	h := newTestHub(t)
	var last Progress
	dir, info, err := Resolve(t.Context(), "hf:owner/name", Options{Progress: func(p Progress) { last = p }})
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "config.json model.safetensors tokenizer.json" {
		t.Errorf("snapshot holds %s", got)
	}
	for _, name := range names {
		if mustRead(t, dir, name) != string(h.files[name]) {
			t.Errorf("%s has other bytes than the hub's", name)
		}
	}
	want := int64(len(h.files["config.json"]) + len(h.files["tokenizer.json"]) + len(h.files["model.safetensors"]))
	if info.Commit != testCommit || info.Repo != "owner/name" || info.Revision != "main" || info.Cached || info.Offline || info.Fetched != want {
		t.Errorf("info = %+v", info)
	}
	if info.String() != "hf:owner/name@"+testCommit {
		t.Errorf("String = %s", info)
	}
	if last.Done != want || last.Total != want {
		t.Errorf("the last progress is %+v, expected %d bytes done", last, want)
	}
}

// The layout is that of huggingface_hub: blobs named by hash, relative links, and a ref that Python reads offline.
func TestCacheHasTheLayoutOfPython(t *testing.T) {
	h := newTestHub(t)
	if _, _, err := Resolve(t.Context(), "hf:owner/name", Options{}); err != nil {
		t.Fatal(err)
	}
	repo := filepath.Join(os.Getenv("HF_HOME"), "hub", "models--owner--name")
	if got := mustRead(t, repo, "refs", "main"); got != testCommit {
		t.Errorf("refs/main = %q", got)
	}
	for name, blob := range map[string]string{"config.json": gitHash(h.files["config.json"]), "model.safetensors": sha256Hash(h.files["model.safetensors"])} {
		link, err := os.Readlink(filepath.Join(repo, "snapshots", testCommit, name))
		if err != nil || filepath.ToSlash(link) != "../../blobs/"+blob {
			t.Errorf("%s links to %q (%v), expected ../../blobs/%s", name, link, err, blob)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(repo, "blobs", "*.incomplete")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSecondResolveFetchesNothing(t *testing.T) {
	h := newTestHub(t)
	first, _, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if err != nil {
		t.Fatal(err)
	}
	second, info, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if err != nil || second != first || !info.Cached || info.Fetched != 0 {
		t.Fatalf("%s %+v %v", second, info, err)
	}
	before := h.saw("")
	_, info, err = Resolve(t.Context(), "hf:owner/name@"+testCommit, Options{})
	if err != nil || !info.Cached || info.Offline || h.saw("") != before {
		t.Errorf("a pinned commit that is cached asked the hub: %+v %v", info, err)
	}
}

func TestRevisionWithSlashes(t *testing.T) {
	h := newTestHub(t)
	_, info, err := Resolve(t.Context(), "hf:owner/name@refs/pr/1", Options{})
	if err != nil || info.Commit != testCommit || h.saw("/revision/refs%2Fpr%2F1") != 1 {
		t.Fatalf("%+v %v %v", info, err, h.requests)
	}
	if got := mustRead(t, os.Getenv("HF_HOME"), "hub", "models--owner--name", "refs", "refs", "pr", "1"); got != testCommit {
		t.Errorf("ref = %q", got)
	}
}

func TestShardsOfTheIndex(t *testing.T) {
	h := newTestHub(t)
	delete(h.files, "model.safetensors")
	h.files["model-00001-of-00002.safetensors"], h.files["model-00002-of-00002.safetensors"] = []byte("one"), []byte("two")
	h.files["consolidated.safetensors"] = []byte("the same in another layout")
	h.files[indexName] = []byte(`{"weight_map": {"b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors"}}`)
	dir, _, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if err != nil || mustRead(t, dir, "model-00002-of-00002.safetensors") != "two" {
		t.Fatal(err)
	}
	if h.saw("consolidated") != 0 {
		t.Error("fetched weights the index does not name")
	}
	for index, want := range map[string]string{
		`{"weight_map": {"a": "gone.safetensors"}}`: "gone.safetensors", `{"weight_map": {"a": "../x.safetensors"}}`: "expected a .safetensors file", `[`: "not a valid index", `{}`: "no weight_map",
	} {
		h.files[indexName] = []byte(index)
		if _, _, err := Resolve(t.Context(), "hf:owner/name", Options{CacheDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("index %s: %v, expected %q", index, err, want)
		}
	}
}

func TestPickledOnlyIsRefusedWithTheWayToConvert(t *testing.T) {
	h := newTestHub(t)
	delete(h.files, "model.safetensors")
	_, _, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if !errors.Is(err, ErrNoSafetensors) || !strings.Contains(err.Error(), "pytorch_model.bin") || !strings.Contains(err.Error(), "save_pretrained") {
		t.Error(err)
	}
	if h.saw("resolve") != 0 {
		t.Error("fetched files of a model that cannot be opened")
	}
}

func TestHubWithoutHashesInItsListing(t *testing.T) {
	h := newTestHub(t)
	h.bare = true
	dir, _, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if err != nil || mustRead(t, dir, "model.safetensors") != string(h.files["model.safetensors"]) {
		t.Fatal(err)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	got, info, err := Resolve(t.Context(), dir, Options{})
	if err != nil || got != dir || info.String() != "directory" {
		t.Error(got, info, err)
	}
	file := filepath.Join(dir, "model.safetensors")
	os.WriteFile(file, nil, 0o600)
	for ref, want := range map[string]string{
		"owner/name": "hf:owner/name", file: "is a file", filepath.Join(dir, "gone"): "no directory", "hf:gpt2": "names no owner", "hf:a/b@": "not a revision",
		"hf:../x": "not a name", "hf:a/b@../../x": "not a revision", "hf:a/b/c": "not a name", "hf:": "names no owner", "hf:a--b/c": "not a name",
	} {
		if _, _, err := Resolve(t.Context(), ref, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", ref, err, want)
		}
	}
}

func TestOfflineWithACopy(t *testing.T) {
	h := newTestHub(t)
	dir, _, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	h.cdn.Close()
	for _, set := range []bool{false, true} {
		if set {
			t.Setenv("HF_HUB_OFFLINE", "1")
		}
		got, info, err := Resolve(t.Context(), "hf:owner/name", Options{})
		if err != nil || got != dir || !info.Offline || info.Commit != testCommit || info.Reason == "" {
			t.Errorf("offline variable %v: %s %+v %v", set, got, info, err)
		}
	}
}

// A snapshot that huggingface_hub made: no list of ours, links into blobs, one ref.
func TestOfflineWithACopyMadeByPython(t *testing.T) {
	newTestHub(t)
	t.Setenv("HF_HUB_OFFLINE", "1")
	cache := t.TempDir()
	repo := filepath.Join(cache, "models--owner--name")
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(repo, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := "snapshots/" + testCommit + "/"
	write("refs/v1.0", testCommit)
	write(snapshot+"config.json", "{}")
	write(snapshot+indexName, `{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}`)
	write("blobs/aa", "one")
	if err := os.Symlink("../../blobs/aa", filepath.Join(repo, snapshot, "model-00001-of-00002.safetensors")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../blobs/bb", filepath.Join(repo, snapshot, "model-00002-of-00002.safetensors")); err != nil {
		t.Fatal(err)
	}
	_, _, err := Resolve(t.Context(), "hf:owner/name@v1.0", Options{CacheDir: cache})
	if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "model-00002-of-00002.safetensors") {
		t.Errorf("a shard is missing: %v", err)
	}
	write("blobs/bb", "two")
	dir, info, err := Resolve(t.Context(), "hf:owner/name@v1.0", Options{CacheDir: cache})
	if err != nil || dir != filepath.Join(repo, snapshot) || info.Commit != testCommit {
		t.Errorf("%s %+v %v", dir, info, err)
	}
	if _, _, err := Resolve(t.Context(), "hf:owner/name@main", Options{CacheDir: cache}); !errors.Is(err, ErrOffline) {
		t.Errorf("another revision: %v", err)
	}
}

func TestOfflineWithoutACopyFailsAtOnce(t *testing.T) {
	newTestHub(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	start := time.Now()
	_, _, err = Resolve(t.Context(), "hf:owner/name", Options{Endpoint: "http://" + closed.Addr().String()})
	if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "hf download owner/name") {
		t.Error(err)
	}
	if _, _, err = Resolve(t.Context(), "hf:owner/name", Options{Offline: true}); !errors.Is(err, ErrOffline) {
		t.Error(err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %s", d)
	}
}

func TestStatuses(t *testing.T) {
	const listing = "/api/models/owner/name/revision/main"
	for _, c := range []struct {
		status []int
		kind   error
		text   string
	}{
		{[]int{401}, ErrForbidden, "hf auth login"},
		{[]int{403}, ErrForbidden, "terms"},
		{[]int{404}, ErrNotFound, "check the owner"},
		{[]int{429}, ErrRateLimited, "raises the limit"},
		{[]int{503, 503}, ErrOffline, "answered 503"},
	} {
		h := newTestHub(t)
		h.fail[listing] = c.status
		_, _, err := resolveQuickly(t, "hf:owner/name", Options{})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %v", c.status, err)
		}
	}
	h := newTestHub(t)
	h.fail[listing] = []int{500}
	if _, _, err := resolveQuickly(t, "hf:owner/name", Options{}); err != nil {
		t.Errorf("one 500: %v", err)
	}
	if _, _, err := resolveQuickly(t, "hf:owner/name@v9", Options{}); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "Invalid rev id") {
		t.Errorf("unknown revision: %v", err)
	}
	h.fail[listing] = []int{403}
	if _, info, err := resolveQuickly(t, "hf:owner/name", Options{}); err != nil || !info.Offline {
		t.Errorf("a cached copy serves when the token does not: %+v %v", info, err)
	}
}

// What a server says reaches a terminal as plain text on one line, whatever it holds.
func TestWordsOfAServerDoNotActOnATerminal(t *testing.T) {
	for _, status := range []int{401, 403, 404, 418, 429, 500} {
		h := newTestHub(t)
		h.said = "gone\x1b]0;title\x07\x1b[2J\u202e\u2066lre\nError: all is well"
		h.fail["/api/models/owner/name/revision/main"] = []int{status, status}
		_, _, err := resolveQuickly(t, "hf:owner/name", Options{})
		if err == nil {
			t.Fatalf("%d: no error", status)
		}
		if text := err.Error(); strings.ContainsAny(text, "\x1b\x07\n\u202e\u2066") || !strings.Contains(text, "gonelre Error: all is well") {
			t.Errorf("%d: %q", status, text)
		}
	}
	h := newTestHub(t)
	h.files["evil\x1b[2J.bin"] = []byte("pickle")
	delete(h.files, "model.safetensors")
	if _, _, err := resolveQuickly(t, "hf:owner/name", Options{}); err == nil || strings.Contains(err.Error(), "evil") {
		t.Errorf("a file whose name acts on a terminal: %q", err)
	}
	if _, _, err := Resolve(t.Context(), "no\x1b[2Jsuch", Options{}); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("a directory whose name acts on a terminal: %q", err)
	}
}

// The token goes to the hub and not to the CDN, which here differs from the hub in its port only; and it comes back from nowhere.
func TestTokenStaysWithTheHub(t *testing.T) {
	h := newTestHub(t)
	t.Setenv("HF_TOKEN", testToken+"\n")
	_, info, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if err != nil {
		t.Fatal(err)
	}
	cdnHost := strings.TrimPrefix(h.cdn.URL, "http://")
	hubHost := strings.TrimPrefix(h.URL, "http://")
	if got := h.tokens[hubHost+"/owner/name/resolve/"+testCommit+"/model.safetensors"]; got != "Bearer "+testToken {
		t.Errorf("the hub got %q", got)
	}
	if got := h.tokens[cdnHost+"/model.safetensors"]; got != "" {
		t.Errorf("the CDN got %q", got)
	}
	text, _ := json.Marshal(info)
	if strings.Contains(string(text)+fmt.Sprintf("%+v", info), testToken) {
		t.Error("the token is in Info")
	}
	for _, status := range []int{401, 403, 404, 418, 429, 500} {
		h.fail["/api/models/owner/name/revision/main"] = []int{status, status} // The test's hub repeats the token in its message.
		_, _, err := resolveQuickly(t, "hf:owner/name", Options{CacheDir: t.TempDir()})
		if err == nil || strings.Contains(fmt.Sprintf("%+v %#v", err, err), testToken) {
			t.Errorf("%d: %v", status, err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), testToken) {
				t.Errorf("%d: the chain holds the token: %v", status, e)
			}
		}
	}
	filepath.Walk(os.Getenv("HF_HOME"), func(path string, stat os.FileInfo, err error) error {
		if err == nil && stat.Mode().IsRegular() && strings.Contains(mustRead(t, path), testToken) {
			t.Errorf("%s holds the token", path)
		}
		return nil
	})
}

func TestTokenOfALogin(t *testing.T) {
	newTestHub(t)
	if err := os.WriteFile(filepath.Join(os.Getenv("HF_HOME"), "token"), []byte("hf_login\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readToken(); got != "hf_login" {
		t.Errorf("readToken = %q", got)
	}
	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
	if got := readToken(); got != "" {
		t.Errorf("readToken = %q although implicit tokens are off", got)
	}
}

func TestCachePlaces(t *testing.T) {
	newTestHub(t)
	ref := Ref{Repo: "owner/name", Revision: "main"}
	for _, c := range []struct{ variable, value, want string }{
		{"HF_HOME", "/h", "/h/hub"}, {"HUGGINGFACE_HUB_CACHE", "/old", "/old"}, {"HF_HUB_CACHE", "/c", "/c"},
	} {
		t.Setenv(c.variable, c.value)
		cache, err := openCache("", ref)
		if err != nil || filepath.ToSlash(cache.root) != c.want {
			t.Errorf("%s=%s: %v %v", c.variable, c.value, cache, err)
		}
	}
}

func TestListingThatIsNone(t *testing.T) {
	for body, want := range map[string]string{"<html>": "not a repository's description", `{"sha": "../.."}`: "names no commit", `{"sha": "` + testCommit + `", "siblings": [null]}`: "no config.json"} {
		h := newTestHub(t)
		h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(body)) })
		if _, _, err := Resolve(t.Context(), "hf:owner/name", Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", body, err, want)
		}
	}
}

func TestCancelled(t *testing.T) {
	newTestHub(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Resolve(ctx, "hf:owner/name", Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
