package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/attune-lab/attune/pkg/eval/logs"
)

// TestPackedSamplesAreComparedAsTheWholeOnes: with log-likelihoods and with choices only.
func TestPackedSamplesAreComparedAsTheWholeOnes(t *testing.T) {
	run, to := t.TempDir(), t.TempDir()
	rows := ""
	for i, acc := range [][]string{{"1.0", "0.0"}, {"1.0", "1.0"}} {
		arm := []string{"baseline", "released"}[i]
		for doc, right := range acc {
			second := map[string]string{"1.0": "-3.123456", "0.0": "-0.5"}[right]
			rows += `{"doc_id": ` + string(rune('0'+doc)) + `, "doc": {"question": "?"}, "target": "0", "arguments": {}, "resps": [[["-1.987654", "None"]], [["` + second + `", "None"]]], ` +
				`"filtered_resps": [["-1.987654", "None"]], "filter": "none", "metrics": ["acc"], "doc_hash": "d", "prompt_hash": "p", "target_hash": "t", "acc": ` + right + `, "arm": "` + arm + `"}` + "\n"
		}
	}
	for name, text := range map[string]string{"samples_tiny_2026-11-29T00-00-00.000000.jsonl": rows, "note.md": "# Note\n", "results.json": "{}\n", "evaluate.ipynb": "{}\n"} {
		if err := os.WriteFile(filepath.Join(run, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, scores := range []int{5000, 1} {
		if err := pack(run, to, scores, true, true); err != nil {
			t.Fatal(err)
		}
		read := func(arm string) *logs.Log {
			t.Helper()
			l, err := logs.Read(filepath.Join(to, "answers_tiny.csv.gz")+"#"+arm, logs.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		c, err := logs.Compare(read("baseline"), read("released"), 0)
		if err != nil || c.N != 2 || c.Gained != 1 || c.Lost != 0 {
			t.Errorf("%d scores: %+v, %v", scores, c, err)
		}
		if l, err := logs.Read(filepath.Join(to, "samples_tiny.jsonl.gz"), logs.Options{}); err != nil || len(l.Samples) != 2 || l.Samples[0].Scores[0] != -1.99 {
			t.Errorf("the log-likelihoods of the untouched model: %+v, %v", l, err)
		}
	}
	for _, name := range []string{"note.md", "results.json.gz", "evaluate.ipynb"} {
		if _, err := os.Stat(filepath.Join(to, name)); err != nil {
			t.Error(err)
		}
	}
}
