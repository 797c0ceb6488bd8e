package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/generate"
)

// serveHub serves a directory as the hub serves a data set: the list of files under /api, each file under resolve.
func serveHub(t *testing.T, id, dir string) {
	t.Helper()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/datasets/"+id+"/revision/main" {
			var siblings []map[string]any
			filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
				if name, _ := filepath.Rel(dir, path); err == nil && !entry.IsDir() {
					content, _ := os.ReadFile(path)
					sum := sha256.Sum256(content)
					siblings = append(siblings, map[string]any{"rfilename": filepath.ToSlash(name), "lfs": map[string]any{"size": len(content), "sha256": hex.EncodeToString(sum[:])}})
				}
				return err
			})
			json.NewEncoder(w).Encode(map[string]any{"id": id, "sha": commit, "siblings": siblings})
			return
		}
		name, is := strings.CutPrefix(r.URL.Path, "/datasets/"+id+"/resolve/"+commit+"/")
		content, err := os.ReadFile(filepath.Join(dir, name))
		if !is || err != nil {
			http.NotFound(w, r)
			return
		}
		w.Write(content)
	}))
	t.Cleanup(server.Close)
	t.Setenv("HF_ENDPOINT", server.URL)
	t.Setenv("HF_HOME", t.TempDir())
	for _, name := range []string{"HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		t.Setenv(name, "")
	}
}

func TestDataSetsOfTheHubAreFetchedAndRead(t *testing.T) {
	dir := t.TempDir()
	c := generated(t, generate.Options{Train: 50, HeldOut: 10})
	if err := c.WriteHub(dir, export.HubOptions{Format: export.Parquet}); err != nil {
		t.Fatal(err)
	}
	serveHub(t, "someone/structured", dir)
	set, err := Open(t.Context(), "hf-data:someone/structured/train.parquet", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Items) != 50 || set.Kind != KindOwn || set.Name != "train" || set.Hub.String() != "hf-data:someone/structured@0123456789abcdef0123456789abcdef01234567" {
		t.Errorf("%s %s with %d items, from %v", set.Kind, set.Name, len(set.Items), set.Hub)
	}
	if got, want := set.Items[49], c.Splits[0].Items[49]; got.Text() != want.Text() || got.STEM != want.STEM || got.ID != want.ID {
		t.Errorf("the last item is %+v, expected %+v", got, want)
	}
	if _, err := Open(t.Context(), "hf-data:someone/structured", Options{}); err == nil || !strings.Contains(err.Error(), `"heldout.parquet", "train.parquet"`) {
		t.Errorf("error %v, expected one that lists the files", err)
	}
	if _, err := Open(t.Context(), "hf-data:someone/else", Options{}); err == nil || !strings.Contains(err.Error(), "someone/else") {
		t.Errorf("error %v, expected one that names the set", err)
	}
}

func TestFilesOfADataSetAreChosenOrListed(t *testing.T) {
	arc := []string{".gitattributes", "ARC-Challenge/test-00000-of-00001.parquet", "ARC-Easy/test-00000-of-00002.parquet", "ARC-Easy/test-00001-of-00002.parquet", "ARC-Easy/train-00000-of-00001.parquet", "README.md", "dataset_infos.json"}
	for _, test := range []struct {
		names []string
		place string
		want  []string
		error string
	}{
		{arc, "", nil, "more than one set"},
		{arc, "ARC-Challenge", arc[1:2], ""},
		{arc, "ARC-Easy/test", arc[2:4], ""},
		{arc, "ARC-Easy", nil, "more than one set"},
		{arc, "*/train*", arc[4:5], ""},
		{arc, "nothing", nil, `no file that "nothing" names`},
		{[]string{"ARC-Easy/test-00000-of-00002.parquet"}, "", nil, "one of 2 files, 1 are there"},
		{[]string{"README.md", "one.jsonl"}, "", []string{"one.jsonl"}, ""},
		{[]string{"data/test.csv", "data/train.csv"}, "", []string{"data/test.csv"}, ""},
		{[]string{"test/a.csv", "train/a.csv"}, "", []string{"test/a.csv"}, ""},
		{[]string{"README.md"}, "", nil, "no file"},
	} {
		got, err := chooseFiles("hf-data:x/y", test.names, test.place)
		if test.error != "" {
			if err == nil || !strings.Contains(err.Error(), test.error) {
				t.Errorf("%q of %q: error %v, expected one with %q", test.place, test.names, err, test.error)
			}
		} else if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q of %q: %q (%v), expected %q", test.place, test.names, got, err, test.want)
		}
	}
}
