package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseDataRef(t *testing.T) {
	for text, want := range map[string]struct {
		ref  Ref
		path string
	}{
		"hf-data:a/b":                     {Ref{Repo: "a/b", Revision: "main", Data: true}, ""},
		"hf-data:a/b@v1.0":                {Ref{Repo: "a/b", Revision: "v1.0", Data: true}, ""},
		"hf-data:a/b/test":                {Ref{Repo: "a/b", Revision: "main", Data: true}, "test"},
		"hf-data:a/b/c d/*@refs/pr/1":     {Ref{Repo: "a/b", Revision: "refs/pr/1", Data: true}, "c d/*"},
		"hf-data:a/b/x.csv@" + testCommit: {Ref{Repo: "a/b", Revision: testCommit, Data: true}, "x.csv"},
	} {
		got, path, err := ParseDataRef(text)
		if err != nil || got != want.ref || path != want.path {
			t.Errorf("%s: %+v %q, %v", text, got, path, err)
		}
	}
	for _, text := range []string{"hf:a/b", "hf-data:a", "hf-data:../b", "hf-data:a/b@../x", "hf-data:", "a/b"} {
		if _, _, err := ParseDataRef(text); err == nil || !strings.Contains(err.Error(), "hf-data:owner/name") && !strings.Contains(err.Error(), "revision") {
			t.Errorf("%s: error %v, expected one that shows the form", text, err)
		}
	}
}

// dataHub serves a data set.
func dataHub(t *testing.T) *testHub {
	h := newTestHub(t)
	h.data = true
	h.files = map[string][]byte{"README.md": []byte("# Data"), "data/test 1.jsonl": []byte("{}\n"), "data/train.parquet": []byte(strings.Repeat("x", 100_000))}
	h.large = map[string]bool{"data/train.parquet": true}
	return h
}

func inData(names []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasPrefix(name, "data/") }), nil
}

func TestFilesOfADataSetAreFetchedOnceAndFoundOffline(t *testing.T) {
	h := dataHub(t)
	ref, _, err := ParseDataRef("hf-data:owner/name")
	if err != nil {
		t.Fatal(err)
	}
	paths, info, err := Files(context.Background(), ref, inData, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 2 || mustRead(t, paths[0]) != "{}\n" || len(mustRead(t, paths[1])) != 100_000 || info.String() != "hf-data:owner/name@"+testCommit || info.Cached {
		t.Fatalf("paths %q, info %+v", paths, info)
	}
	if !strings.Contains(paths[0], filepath.Join("datasets--owner--name", "snapshots", testCommit, "data", "test 1.jsonl")) {
		t.Errorf("%s is not where Python looks for it", paths[0])
	}
	if h.saw("README") > 0 {
		t.Error("a file was fetched that was not chosen")
	}
	again, info, err := Files(context.Background(), ref, inData, Options{})
	if err != nil || !info.Cached || !slices.Equal(again, paths) {
		t.Errorf("the second time: %q, %+v, %v", again, info, err)
	}
	h.Close()
	again, info, err = Files(context.Background(), ref, inData, Options{})
	if err != nil || !info.Offline || info.Reason == "" || !slices.Equal(again, paths) {
		t.Errorf("without the hub: %q, %+v, %v", again, info, err)
	}
	pinned := Ref{Repo: ref.Repo, Revision: testCommit, Data: true}
	if again, info, err = Files(context.Background(), pinned, inData, Options{}); err != nil || info.Offline || !slices.Equal(again, paths) {
		t.Errorf("pinned: %q, %+v, %v", again, info, err)
	}
	all := func(names []string) ([]string, error) { return names, nil }
	if _, _, err := Files(context.Background(), ref, all, Options{}); err == nil {
		t.Error("files that were never fetched are found offline")
	}
}

func TestFilesThatPythonFetchedAreFoundOffline(t *testing.T) {
	dataHub(t).Close()
	folder := filepath.Join(os.Getenv("HF_HOME"), "hub", "datasets--owner--name")
	for name, text := range map[string]string{"refs/main": testCommit, "snapshots/" + testCommit + "/data/x.csv": "a\n"} {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	paths, info, err := Files(context.Background(), Ref{Repo: "owner/name", Revision: "main", Data: true}, inData, Options{Offline: true})
	if err != nil || len(paths) != 1 || mustRead(t, paths[0]) != "a\n" || !info.Offline {
		t.Errorf("%q, %+v, %v", paths, info, err)
	}
}

func TestUnknownDataSetsAndChoicesAreErrors(t *testing.T) {
	h := dataHub(t)
	t.Setenv("HF_TOKEN", testToken)
	if _, _, err := Files(context.Background(), Ref{Repo: "owner/other", Revision: "main", Data: true}, inData, Options{}); !errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), testToken) {
		t.Errorf("error %v, expected not found", err)
	}
	chosen := errors.New("none of them")
	if _, _, err := Files(context.Background(), Ref{Repo: "owner/name", Revision: "main", Data: true}, func([]string) ([]string, error) { return nil, chosen }, Options{}); !errors.Is(err, chosen) {
		t.Errorf("error %v, expected the choice's own", err)
	}
	h.Close()
	if _, _, err := Files(context.Background(), Ref{Repo: "owner/name", Revision: "v9", Data: true}, inData, Options{Offline: true}); !errors.Is(err, ErrOffline) {
		t.Errorf("error %v, expected offline", err)
	}
}
