package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunRefusesADirectoryThatHoldsARun(t *testing.T) {
	dir := t.TempDir()
	options := Options{Dir: dir}
	got, err := openDirectory(options, "quickstart")
	if err != nil || got.path != dir {
		t.Fatalf("an empty directory gives %+v, %v", got, err)
	}
	got.lock.Unlock()
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	results, half := filepath.Join(dir, "results.json"), filepath.Join(dir, ".note.html.0a1b2c3d.tmp")
	samples, others := filepath.Join(dir, "samples_piqa_2026-01-02T03-04-05.678901.jsonl"), filepath.Join(dir, "samples_siqa_2026-01-02T03-04-05.678901.jsonl")
	for file, text := range map[string]string{results: "{}", half: "{}", samples: `{"doc_id": 0, "arm": "baseline"}` + "\n", others: `{"doc_id": 0}` + "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err = openDirectory(options, "quickstart")
	if err == nil || !strings.Contains(err.Error(), "-o") || !strings.Contains(err.Error(), "--force") || !isFile(results) {
		t.Errorf("a directory with a run gives %v", err)
	}
	options.Force = true
	got, err = openDirectory(options, "quickstart")
	if err != nil || isFile(results) {
		t.Fatalf("forced: %v; the earlier results must not pass for the new ones", err)
	}
	defer got.lock.Unlock()
	if isFile(half) {
		t.Error("a temporary file of a killed run stays")
	}
	if isFile(samples) || !isFile(others) {
		t.Error("the earlier run's samples stay, or another program's are gone")
	}
	if _, err := os.Stat(work); err != nil {
		t.Errorf("forced: the work files must stay: %v", err)
	}
}

func TestSecondRunIntoADirectoryNamesTheFirstAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	first, err := openDirectory(Options{Dir: dir, Command: "go run ./recipes run first -o x"}, "first")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), []byte("of the first"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		_, err := openDirectory(Options{Dir: dir, Force: force, Command: "second"}, "first")
		for _, part := range []string{"process ", "started ", "go run ./recipes run first -o x", "-o"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("force %v: the error %v does not contain %q", force, err, part)
			}
		}
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "results.json")); string(text) != "of the first" {
		t.Errorf("the first run's results are now %q", text)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, lockName)); !strings.Contains(string(text), "run first") {
		t.Errorf("the lock's file is now %q", text)
	}
	first.lock.Unlock()
	again, err := openDirectory(Options{Dir: dir, Force: true}, "first")
	if err != nil {
		t.Fatal(err)
	}
	again.lock.Unlock()
	if again.id == first.id || again.id == "" {
		t.Errorf("two runs have the ids %q and %q", first.id, again.id)
	}
}
