package model_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/model"
)

// TestLoadFromTheHubsCache opens an hf: reference that Python's tools would have left in the cache, with the network forbidden.
func TestLoadFromTheHubsCache(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	cache := t.TempDir()
	t.Setenv("HF_HUB_CACHE", cache)
	t.Setenv("HF_HUB_OFFLINE", "1")
	repo := filepath.Join(cache, "models--someone--tiny")
	m := tinyModel(t)
	if err := m.Save(filepath.Join(repo, "snapshots", commit), dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(repo, "refs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo, "refs", "main"), []byte(commit), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := model.Load("hf:someone/tiny", model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "hf:someone/tiny@" + commit; got.Source != want {
		t.Errorf("the source is %q, expected %q", got.Source, want)
	}
	p := [][]int{tokens(1, 8, 97)}
	if d := maxDiff(logits(t, got, p, nil)[0], logits(t, m, p, nil)[0]); d != 0 {
		t.Errorf("logits differ by %g from the model that was saved", d)
	}
	if _, err := model.Load("hf:someone/absent", model.Options{}); err == nil {
		t.Error("a repository that is not in the cache opens offline")
	}
}
