package source

import (
	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/generate"

	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serveHub serves a directory as the hub serves a data set: the list of files under /api, each file under resolve, with its commit and tag.
func serveHub(t *testing.T, id, dir string) *httptest.Server {
	t.Helper()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/datasets/"+id+"/revision/") {
			var siblings []map[string]string
			filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
				if name, _ := filepath.Rel(dir, path); err == nil && !entry.IsDir() {
					siblings = append(siblings, map[string]string{"rfilename": filepath.ToSlash(name)})
				}
				return err
			})
			json.NewEncoder(w).Encode(map[string]any{"id": id, "sha": commit, "siblings": siblings})
			return
		}
		name, is := strings.CutPrefix(r.URL.Path, "/datasets/"+id+"/resolve/"+commit+"/")
		if !is {
			name, is = strings.CutPrefix(r.URL.Path, "/datasets/"+id+"/resolve/main/")
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if !is || err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Repo-Commit", commit)
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", len(content))+strings.ReplaceAll(name, "/", "-")))
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if r.Method != http.MethodHead {
			w.Write(content)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestHubSetsAreFetchedAndRead(t *testing.T) {
	dir := t.TempDir()
	c := generated(t, generate.Options{Train: 50, HeldOut: 10})
	if err := c.WriteHub(dir, export.HubOptions{Format: export.Parquet}); err != nil {
		t.Fatal(err)
	}
	server := serveHub(t, "someone/structured", dir)
	set := HubSet{ID: "someone/structured", Endpoint: server.URL, CacheDir: t.TempDir()}
	paths, err := set.Fetch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 2 || filepath.Base(paths[0]) != "heldout.parquet" || filepath.Base(paths[1]) != "train.parquet" {
		t.Fatalf("paths %q", paths)
	}
	rows, err := Rows(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	items, _, err := ReadAll(Items(rows, Columns{}), Stop)
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != 50 || items[49].Text() != c.Splits[0].Items[49].Text() {
		t.Errorf("%d items, the last %+v", len(items), items[len(items)-1])
	}
	set.Files = []string{"data/*.csv"}
	if _, err := set.Fetch(context.Background()); err == nil || !strings.Contains(err.Error(), "data/*.csv") {
		t.Errorf("error %v, expected one that names the pattern", err)
	}
}

func TestUnknownHubSetIsAnError(t *testing.T) {
	server := serveHub(t, "a/b", t.TempDir())
	if _, err := (HubSet{ID: "c/d", Endpoint: server.URL, CacheDir: t.TempDir()}).Fetch(context.Background()); err == nil || !strings.Contains(err.Error(), "c/d") {
		t.Errorf("error %v, expected one that names the set", err)
	}
}
