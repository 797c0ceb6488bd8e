package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testCommit = "0123456789abcdef0123456789abcdef01234567"
	testToken  = "hf_secretSECRETsecret"
)

// testHub is a small hub on loopback: the listing, HEAD and GET of files, and a second server as the CDN for large files.
type testHub struct {
	*httptest.Server
	cdn *httptest.Server

	mu       sync.Mutex
	commit   string
	files    map[string][]byte
	large    map[string]bool
	bare     bool // the listing names no hashes
	corrupt  map[string]bool
	cutAfter map[string]int // bytes of a GET after which the connection breaks, once
	noRange  bool
	data     bool             // the repository is a data set
	slow     bool             // a MiB takes 25 ms
	fail     map[string][]int // statuses to answer first, by path
	header   http.Header      // sent with a failure
	said     string           // the error of a failure; "" echoes the token
	requests []string
	tokens   map[string]string // Authorization by request
}

func newTestHub(t *testing.T) *testHub {
	t.Helper()
	h := &testHub{
		commit: testCommit, large: map[string]bool{"model.safetensors": true},
		files: map[string][]byte{
			"config.json": []byte(`{"model_type": "llama"}`), "tokenizer.json": []byte(`{"version": "1.0"}`), "README.md": []byte("# Readme"),
			"pytorch_model.bin": []byte("pickle"), "onnx/model.onnx": []byte("x"), "model.safetensors": []byte(strings.Repeat("0123456789abcdef", 40_000)),
		},
		cutAfter: map[string]int{}, fail: map[string][]int{}, tokens: map[string]string{}, header: http.Header{}, corrupt: map[string]bool{},
	}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveCDN))
	t.Cleanup(h.Server.Close)
	t.Cleanup(h.cdn.Close)
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_ENDPOINT", h.URL)
	return h
}

func gitHash(b []byte) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(b), b))
	return hex.EncodeToString(sum[:])
}

func sha256Hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (h *testHub) note(r *http.Request) (status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := r.Method + " " + r.URL.EscapedPath()
	if rng := r.Header.Get("Range"); rng != "" {
		key += " " + rng
	}
	h.requests = append(h.requests, key)
	h.tokens[r.Host+r.URL.Path] = r.Header.Get("Authorization")
	if left := h.fail[r.URL.Path]; len(left) > 0 {
		h.fail[r.URL.Path] = left[1:]
		return left[0]
	}
	return 0
}

func (h *testHub) failed(w http.ResponseWriter, r *http.Request) bool {
	status := h.note(r)
	if status == 0 {
		return false
	}
	for name, values := range h.header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	if h.said != "" {
		json.NewEncoder(w).Encode(map[string]string{"error": h.said})
		return true
	}
	fmt.Fprintf(w, `{"error": "told off: %s"}`, r.Header.Get("Authorization"))
	return true
}

func (h *testHub) serve(w http.ResponseWriter, r *http.Request) {
	if h.failed(w, r) {
		return
	}
	path := r.URL.Path
	if h.data { // a data set's place is below a folder
		path = strings.Replace(path, "/api/datasets/", "/api/models/", 1)
		path = strings.TrimPrefix(path, "/datasets")
	}
	if rest, ok := strings.CutPrefix(path, "/api/models/owner/name/revision/"); ok {
		if rest != "main" && rest != h.commit && rest != "refs/pr/1" {
			w.Header().Set("X-Error-Message", "Invalid rev id: "+rest)
			w.WriteHeader(http.StatusNotFound)
			return
		}
		h.list(w)
		return
	}
	name, ok := strings.CutPrefix(path, "/owner/name/resolve/"+h.commit+"/")
	body, known := h.files[name]
	if !ok || !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("X-Repo-Commit", h.commit)
	if h.large[name] {
		w.Header().Set("X-Linked-Etag", `"`+sha256Hash(body)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(body)))
		http.Redirect(w, r, h.cdn.URL+"/"+name+"?Signature=cdnkey", http.StatusFound)
		return
	}
	w.Header().Set("ETag", `W/"`+gitHash(body)+`"`)
	h.send(w, r, name)
}

func (h *testHub) serveCDN(w http.ResponseWriter, r *http.Request) {
	if !h.failed(w, r) {
		h.send(w, r, strings.TrimPrefix(r.URL.Path, "/"))
	}
}

func (h *testHub) list(w http.ResponseWriter) {
	siblings := []map[string]any{{"rfilename": "../evil.safetensors", "size": 1, "blobId": gitHash(nil)}}
	for name, body := range h.files {
		s := map[string]any{"rfilename": name}
		if !h.bare {
			s["size"], s["blobId"] = len(body), gitHash(body)
			if h.large[name] {
				s["lfs"] = map[string]any{"sha256": sha256Hash(body), "size": len(body), "pointerSize": 130}
			}
		}
		siblings = append(siblings, s)
	}
	json.NewEncoder(w).Encode(map[string]any{"id": "owner/name", "sha": h.commit, "siblings": siblings, "cardData": map[string]any{"license": []string{"mit", "other"}}, "createdAt": "yesterday"})
}

func (h *testHub) send(w http.ResponseWriter, r *http.Request, name string) {
	body := h.files[name]
	if h.corrupt[name] {
		body = []byte(strings.Repeat("x", len(body)))
	}
	from := 0
	if rng, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !h.noRange {
		from, _ = strconv.Atoi(strings.TrimSuffix(rng, "-"))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodHead {
		return
	}
	h.mu.Lock()
	cut, cutting := h.cutAfter[name]
	delete(h.cutAfter, name)
	h.mu.Unlock()
	if cutting && from+cut < len(body) {
		w.Write(body[from : from+cut])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // The connection breaks in the middle of the file.
	}
	for piece := range slices.Chunk(body[from:], 1<<20) {
		w.Write(piece)
		if h.slow {
			time.Sleep(25 * time.Millisecond)
		}
	}
}

// saw counts the requests that contain text.
func (h *testHub) saw(text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, r := range h.requests {
		if strings.Contains(r, text) {
			n++
		}
	}
	return n
}

// resolveQuickly is Resolve with short waits between attempts.
func resolveQuickly(t *testing.T, ref string, o Options) (string, Info, error) {
	t.Helper()
	r, err := ParseRef(ref)
	if err != nil {
		return "", Info{}, err
	}
	token := readToken()
	c, err := newClient(o, token)
	if err != nil {
		t.Fatal(err)
	}
	c.pause, c.stall = time.Millisecond, 200*time.Millisecond
	cache, err := openCache(o.CacheDir, r)
	if err != nil {
		t.Fatal(err)
	}
	dir, info, err := (&resolver{ref: r, cache: cache, client: c, options: o}).resolve(context.Background())
	return dir, info, scrub(err, token)
}

func mustRead(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
