package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
)

// TestAnEditReplacesTheWorker asks one question of real workers while a checkout is edited: a view of it, then a package that computes. Each edit is in the next answer,
// though the store holds the one before; an edit of what cells are made of leaves the worker.
func TestAnEditReplacesTheWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the worker three times")
	}
	real, err := env.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	root := copySources(t, real)
	dir, err := os.MkdirTemp("", "w") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	gocache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(gocache)))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")) // workers of edited sources are of no use to anybody else
	t.Setenv(env.Backend, env.GoBackend)
	owner, err := FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	at := place{root: root, socket: filepath.Join(dir, "s"), log: filepath.Join(dir, "log"), owner: owner}
	args, _ := json.Marshal(map[string]any{"eps": []float64{0.3}})
	question := Request{Kind: "survey", View: "rates", Args: args, Dirs: []string{real}, RunDir: dir, Store: filepath.Join(dir, "store"),
		Options: Options{Model: "testdata/attune-tiny", Items: "generated:medium", Limit: 4, Length: 16, Seed: 1}}
	var last *Client
	ask := func() (rate float64, title string, built bool) {
		t.Helper()
		sources, err := Sources(root)
		if err != nil {
			t.Fatal(err)
		}
		var told bytes.Buffer
		last = &Client{place: at, sources: sources, out: &told}
		err = last.Do(t.Context(), question, func(e Event) error {
			for _, p := range e.Parts {
				for _, n := range p.Numbers {
					if strings.HasPrefix(n.Name, "sink_rate/key 0") {
						rate = n.Value
					}
				}
				for _, table := range p.Tables {
					title += table.Title
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, told.String())
		}
		return rate, title, told.Len() > 0
	}
	edit := func(name, old, new string) {
		t.Helper()
		path := filepath.Join(root, filepath.FromSlash(name))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), old) {
			t.Fatalf("%s has no %q: edit something else", name, old)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, new)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		if last != nil {
			last.Stop(context.Background())
		}
	}()
	before, title, _ := ask()
	if before <= 0 || title != "Sink rate of position 0" {
		t.Fatalf("before an edit the rate is %g, the tables are %q", before, title)
	}
	edit("pkg/worker/survey_heads.go", "Sink rate of position", "Rate of the sink at position")
	if rate, title, built := ask(); rate != before || !built || title != "Rate of the sink at position 0" {
		t.Errorf("after an edit of the view the rate is %g, before %g; the tables are %q", rate, before, title)
	}
	edit("pkg/sink/received.go", "c.put(nameReceived, Div(columns, InsertAxes(seen, 1)))", "c.put(nameReceived, MulScalar(Div(columns, InsertAxes(seen, 1)), 0))")
	if rate, _, built := ask(); rate != 0 || !built {
		t.Errorf("after an edit of what keys receive the rate is %g, expected 0", rate)
	}
	edit("pkg/lab/doc.go", "package lab", "package lab // edited")
	if rate, _, built := ask(); rate != 0 || built {
		t.Errorf("an edit of what cells are made of: the rate is %g, a worker was built: %t", rate, built)
	}
}

// copySources copies what the worker is built from.
func copySources(t *testing.T, root string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "pkg", "recipes/work"} {
		err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(name)), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			own := filepath.Join(to, relative)
			if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
				return err
			}
			return os.WriteFile(own, text, 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}
