package hub

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBrokenConnectionIsTakenUpWhereItBroke(t *testing.T) {
	h := newTestHub(t)
	h.cutAfter["model.safetensors"] = 300_000
	dir, info, err := resolveQuickly(t, "hf:owner/name", Options{})
	if err != nil || mustRead(t, dir, "model.safetensors") != string(h.files["model.safetensors"]) {
		t.Fatal(err)
	}
	if h.saw("GET /model.safetensors bytes=") != 1 || info.Fetched > int64(len(h.files["model.safetensors"])+100) {
		t.Errorf("not one request for the rest: %v, %d bytes", h.requests, info.Fetched)
	}
}

// A program that was killed leaves <hash>.incomplete, and so does Python's.
func TestKilledDownloadResumes(t *testing.T) {
	whole := 640_000
	for name, c := range map[string]struct {
		left    int
		noRange bool
		ask     string
		fetched int
	}{
		"half":                {left: 320_000, ask: "bytes=320000-", fetched: whole - 320_000},
		"all":                 {left: whole, fetched: 0},
		"more than there is":  {left: whole + 5, fetched: whole},
		"server has no range": {left: 320_000, noRange: true, ask: "bytes=320000-", fetched: whole},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t)
			h.noRange = c.noRange
			body := h.files["model.safetensors"]
			blobs := filepath.Join(os.Getenv("HF_HOME"), "hub", "models--owner--name", "blobs")
			if err := os.MkdirAll(blobs, 0o755); err != nil {
				t.Fatal(err)
			}
			part := append(append([]byte{}, body...), "extra"...)[:c.left]
			if err := os.WriteFile(filepath.Join(blobs, sha256Hash(body)+".incomplete"), part, 0o644); err != nil {
				t.Fatal(err)
			}
			dir, info, err := resolveQuickly(t, "hf:owner/name", Options{})
			if err != nil || mustRead(t, dir, "model.safetensors") != string(body) {
				t.Fatal(err)
			}
			if c.ask != "" && h.saw("GET /model.safetensors "+c.ask) != 1 {
				t.Errorf("asked %v", h.requests)
			}
			small := len(h.files["config.json"]) + len(h.files["tokenizer.json"])
			if info.Fetched != int64(c.fetched+small) {
				t.Errorf("fetched %d bytes, expected %d", info.Fetched, c.fetched+small)
			}
		})
	}
}

func TestWrongBytesAreThrownAway(t *testing.T) {
	h := newTestHub(t)
	for _, name := range []string{"model.safetensors", "config.json"} {
		h.corrupt = map[string]bool{name: true}
		_, _, err := resolveQuickly(t, "hf:owner/name", Options{CacheDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "thrown away") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOutOfOrderServersAreTriedAgain(t *testing.T) {
	h := newTestHub(t)
	file := "/owner/name/resolve/" + testCommit + "/config.json"
	h.fail[file] = []int{502, 429}
	h.fail["/model.safetensors"] = []int{403, 500} // An expired link, then a broken CDN.
	if _, _, err := resolveQuickly(t, "hf:owner/name", Options{}); err != nil {
		t.Fatal(err)
	}
	h = newTestHub(t)
	h.fail[file] = []int{500, 500, 500, 500, 500}
	_, _, err := resolveQuickly(t, "hf:owner/name", Options{})
	if err == nil || !strings.Contains(err.Error(), "run it again") || h.saw(file) != attempts {
		t.Errorf("%d requests, %v", h.saw(file), err)
	}
	h = newTestHub(t)
	h.header.Set("Retry-After", "3600")
	h.fail[file] = []int{429}
	start := time.Now()
	if _, _, err := resolveQuickly(t, "hf:owner/name", Options{}); !errors.Is(err, ErrRateLimited) || !strings.Contains(err.Error(), "1h") {
		t.Error(err)
	}
	if time.Since(start) > 2*time.Second {
		t.Error("waited although the wait asked for is too long")
	}
	h = newTestHub(t)
	h.fail[file] = []int{403}
	if _, _, err := resolveQuickly(t, "hf:owner/name", Options{}); !errors.Is(err, ErrForbidden) || h.saw(file) != 1 {
		t.Errorf("a refusal was tried again: %d requests, %v", h.saw(file), err)
	}
}

func TestStalledDownloadIsTakenUp(t *testing.T) {
	h := newTestHub(t)
	release := make(chan struct{})
	serve, once := h.cdn.Config.Handler, sync.Once{}
	h.cdn.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stall := false
		once.Do(func() { stall = true })
		if stall {
			w.Header().Set("Content-Length", "640000")
			w.Write(h.files["model.safetensors"][:1000])
			w.(http.Flusher).Flush()
			<-release
			return
		}
		serve.ServeHTTP(w, r)
	})
	t.Cleanup(func() { close(release) })
	dir, _, err := resolveQuickly(t, "hf:owner/name", Options{})
	if err != nil || mustRead(t, dir, "model.safetensors") != string(h.files["model.safetensors"]) {
		t.Fatal(err)
	}
}

func TestTwoProgramsFetchOnce(t *testing.T) {
	h := newTestHub(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, _, err := Resolve(t.Context(), "hf:owner/name", Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := h.saw("GET /model.safetensors"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

// Stopped in the middle and run again: the second run asks for the rest only.
func TestCancelledDownloadResumes(t *testing.T) {
	h := newTestHub(t)
	// Large and slow enough that not all of it has come when the progress is told, which happens each 100 ms.
	h.slow = true
	h.files["model.safetensors"] = []byte(strings.Repeat("0123456789abcdef", 1<<20))
	whole := int64(len(h.files["model.safetensors"]))
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := Resolve(ctx, "hf:owner/name", Options{Progress: func(p Progress) {
		if p.Done > 1<<20 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, _, err := Resolve(t.Context(), "hf:owner/name", Options{Offline: true}); !errors.Is(err, ErrOffline) {
		t.Errorf("half a model was taken for a model: %v", err)
	}
	dir, info, err := Resolve(t.Context(), "hf:owner/name", Options{})
	if err != nil || mustRead(t, dir, "model.safetensors") != string(h.files["model.safetensors"]) {
		t.Fatal(err)
	}
	if info.Fetched == 0 || info.Fetched > whole-1<<20 || h.saw("GET /model.safetensors bytes=") != 1 {
		t.Errorf("fetched %d of %d bytes again", info.Fetched, whole)
	}
}
