package logs_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/eval/extract"
	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/internal/testlimit"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// Logs of lm_eval 0.4.13, made by testdata/make_lm_eval.py.
const date = "_2026-11-29T00-00-00.000000"

func golden(run, task string) string {
	return filepath.Join("testdata", "lm_eval", run, "samples_"+task+date+".jsonl")
}

func mustRead(t *testing.T, path string, o logs.Options) *logs.Log {
	t.Helper()
	l, err := logs.Read(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLMEvalLogsGiveTheHarnessAccuracies: each metric and filter sums to what the harness wrote into results_*.json.
func TestLMEvalLogsGiveTheHarnessAccuracies(t *testing.T) {
	for _, run := range []string{"a", "b"} {
		text, err := os.ReadFile(filepath.Join("testdata", "lm_eval", run, "results"+date+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var totals struct{ Results map[string]map[string]any }
		if err := json.Unmarshal(text, &totals); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct{ task, metric, filter string }{
			{"tiny_piqa", "acc", "none"}, {"tiny_piqa", "acc_norm", "none"}, {"tiny_sums", "exact_match", "strict-match"}, {"tiny_sums", "exact_match", "flexible-extract"},
		} {
			l := mustRead(t, golden(run, test.task), logs.Options{Metric: test.metric, Filter: test.filter})
			want := totals.Results[test.task][test.metric+","+test.filter].(float64)
			if got := float64(l.Right()) / float64(len(l.Samples)); math.Abs(got-want) > 1e-12 || l.Format != logs.LMEval {
				t.Errorf("%s %+v: %v, the harness has %v", run, test, got, want)
			}
		}
	}
	l := mustRead(t, golden("a", "tiny_sums"), logs.Options{})
	if l.Metric != "exact_match" || l.Filter != "strict-match" || len(l.Samples) != 5 || l.Samples[0].Output != "It is 5.\n#### 5" {
		t.Errorf("by default: %s, %s, %d samples, %q", l.Metric, l.Filter, len(l.Samples), l.Samples[0].Output)
	}
	if l = mustRead(t, golden("a", "tiny_piqa"), logs.Options{}); l.Metric != "acc" || !slices.Equal(l.Samples[0].Scores, []float64{-3.5529, -17.1012}) {
		t.Errorf("%s, %v", l.Metric, l.Samples[0].Scores)
	}
}

// TestCompareCountsWhatTheRowsSay pairs two runs of the harness and counts by the rows themselves.
func TestCompareCountsWhatTheRowsSay(t *testing.T) {
	acc := func(run string) map[int]float64 {
		out := map[int]float64{}
		text, err := os.ReadFile(golden(run, "tiny_piqa"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var row struct {
				DocID int `json:"doc_id"`
				Acc   float64
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			out[row.DocID] = row.Acc
		}
		return out
	}
	a, b := acc("a"), acc("b")
	gained, lost := 0, 0
	for id := range a {
		if b[id] > a[id] {
			gained++
		}
		if b[id] < a[id] {
			lost++
		}
	}
	c, err := logs.Compare(mustRead(t, golden("a", "tiny_piqa"), logs.Options{}), mustRead(t, golden("b", "tiny_piqa"), logs.Options{}), 0)
	if err != nil {
		t.Fatal(err)
	}
	if c.Gained != gained || c.Lost != lost || c.N != 6 || c.OnlyA+c.OnlyB+c.Reworded != 0 || gained+lost == 0 {
		t.Errorf("%+v, expected %d gained and %d lost", c.Counts, gained, lost)
	}
	if c.CI95 != stats.PairedScore(c.Counts) || c.Exact != stats.McNemar(c.Counts) {
		t.Errorf("%+v", c.Paired)
	}
	for name, want := range map[string]float64{
		"difference": float64(gained-lost) / 6, "mcnemar_p": stats.McNemar(c.Counts), "flipped_right": float64(gained), "flipped_wrong": float64(lost),
	} {
		if got, ok := named(c.Part(), name); !ok || math.Abs(got.Value-want) > 1e-12 || got.N != 6 {
			t.Errorf("%s: %+v, expected %v", name, got, want)
		}
	}
	if d, _ := named(c.Part(), "difference"); d.CI95 == nil || *d.CI95 != c.CI95 {
		t.Errorf("the difference's interval is %v", d.CI95)
	}
	for _, n := range c.Part().Numbers {
		if err := n.Check(); err != nil {
			t.Error(err)
		}
	}
}

func named(p *report.Part, name string) (report.Number, bool) {
	i := slices.IndexFunc(p.Numbers, func(n report.Number) bool { return n.Name == name })
	if i < 0 {
		return report.Number{}, false
	}
	return p.Numbers[i], true
}

const outputs = "../../../../shared/data/bbh-outputs"

// TestPublishedOutputsAreRescoredAndCompared: what a real model wrote on BIG-Bench-Hard, directly and with chain of thought. Accuracies are
// the published ones within half a point; counts and p-values are those of exact rational arithmetic (Python's fractions).
func TestPublishedOutputsAreRescoredAndCompared(t *testing.T) {
	if _, err := os.Stat(outputs); err != nil {
		t.Skipf("the published outputs are not beside this checkout: %v", err)
	}
	for _, test := range []struct {
		task         string
		n            int
		form         extract.Form
		direct, cot  float64 // published, percent
		gained, lost int
		p            float64
	}{
		{"navigate", 250, extract.Label, 50.4, 96.4, 122, 7, 3.112832046645853e-28},
		{"snarks", 178, extract.Letter, 61.23595505617978, 59.55056179775281, 32, 35, 0.807194691367025},
		{"date_understanding", 250, extract.Letter, 63.6, 87.2, 69, 10, 5.544696639021875e-12},
		{"multistep_arithmetic_two", 250, extract.Number, 1.2, 47.6, 117, 1, 7.162051980690033e-34},
	} {
		direct := mustRead(t, filepath.Join(outputs, "direct", test.task+".json"), logs.Options{})
		cot := mustRead(t, filepath.Join(outputs, "cot", test.task+".json"), logs.Options{})
		for _, side := range []struct {
			log       *logs.Log
			published float64
		}{{direct, test.direct}, {cot, test.cot}} {
			r, err := logs.Rescore(side.log, "")
			if err != nil {
				t.Fatal(err)
			}
			if r.N != test.n || r.Form != test.form || r.Format != logs.Outputs || math.Abs(100*r.Accuracy-side.published) > 0.5 {
				t.Errorf("%s: %s, %d items, %.2f %%, published %.2f %%", test.task, r.Form, r.N, 100*r.Accuracy, side.published)
			}
			p := r.Part()
			if unparsed, _ := named(p, "unparsed"); unparsed.Value != float64(r.Unread)/float64(r.N) || len(p.Samples) != min(20, r.Unread) {
				t.Errorf("%s: %d unparsed, %d shown", test.task, r.Unread, len(p.Samples))
			}
		}
		c, err := logs.Compare(direct, cot, 0)
		if err != nil {
			t.Fatal(err)
		}
		if c.Gained != test.gained || c.Lost != test.lost || math.Abs(c.Exact/test.p-1) > 1e-9 || c.Reworded != 0 {
			t.Errorf("%s: +%d -%d, p = %v, %d reworded, expected +%d -%d, p = %v", test.task, c.Gained, c.Lost, c.Exact, c.Reworded, test.gained, test.lost, test.p)
		}
	}
	// Different tasks are not the same items.
	a, b := mustRead(t, filepath.Join(outputs, "cot", "navigate.json"), logs.Options{}), mustRead(t, filepath.Join(outputs, "cot", "date_understanding.json"), logs.Options{})
	if _, err := logs.Compare(a, b, 0); err == nil || !strings.Contains(err.Error(), "same items?") {
		t.Errorf("two tasks were compared: %v", err)
	}
}

const inspectLog = `{"version": 2, "status": "success", "eval": {"task": "gsm8k", "model": "m"}, "plan": {}, "results": {"scores": []}, "samples": [
 {"id": 1, "epoch": 1, "input": "What is 2 + 2?", "target": "4", "output": {"completion": "4", "choices": []}, "scores": {"match": {"value": "C", "answer": "4"}}},
 {"id": 2, "epoch": 1, "input": [{"role": "user", "content": "What is 2 + 3?"}], "target": ["5", "five"], "output": {"choices": [{"message": {"content": "6"}}]}, "scores": {"match": {"value": "I"}}},
 {"id": "c", "epoch": 1, "input": "What is 1 + 1?", "target": "2", "output": {"completion": "2"}, "scores": {"match": {"value": 1}}},
 {"id": "d", "epoch": 1, "input": "What is 1 + 2?", "target": "3", "output": {"completion": ""}, "scores": {"match": {"value": "N"}}}]}`

func TestInspectDumpsAreRead(t *testing.T) {
	l := mustRead(t, file(t, "log.json", inspectLog), logs.Options{})
	if l.Format != logs.Inspect || l.Metric != "match" || l.Right() != 2 || len(l.Samples) != 4 || l.Samples[1].Output != "6" || l.Samples[1].Target != "5" || l.Samples[2].ID != "c" {
		t.Errorf("%+v", l)
	}
	twice := strings.Replace(inspectLog, `{"id": 2, "epoch": 1`, `{"id": 1, "epoch": 2`, 1)
	l = mustRead(t, file(t, "log.json", twice), logs.Options{})
	if l.Samples[0].ID != "1@1" || l.Samples[1].ID != "1@2" || l.Samples[1].Cluster != "1" {
		t.Errorf("epochs: %+v", l.Samples[:2])
	}
	c, err := logs.Compare(l, l, 0)
	if err != nil || c.Gained+c.Lost != 0 || c.Clustered == nil || c.Clustered.Clusters != 3 {
		t.Errorf("epochs of one item are no cluster: %+v, %v", c, err)
	}
}

func TestPlainLogsAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		file, text string
		o          logs.Options
		right      int
		n          int
	}{
		"correctness":       {"a.jsonl", "{\"id\": \"x\", \"correct\": true}\n{\"id\": \"y\", \"correct\": 0}\n\n{\"id\": \"z\", \"correct\": 1.0}\n", logs.Options{}, 2, 3},
		"answer and target": {"a.jsonl", "{\"id\": 1, \"answer\": \"B\", \"target\": \"(B)\"}\n{\"id\": 2, \"answer\": \"A\", \"target\": \"C\"}\n", logs.Options{}, 1, 2},
		"answer is gold":    {"a.jsonl", "{\"id\": 1, \"prediction\": \"The answer is 7.\", \"answer\": \"7\"}\n{\"id\": 2, \"prediction\": \"8\", \"answer\": \"9\"}\n", logs.Options{}, 1, 2},
		"csv":               {"a.csv", "\xef\xbb\xbfItem_ID,Correct\r\nx,True\r\ny,False\r\n", logs.Options{}, 1, 2},
		"csv of answers":    {"a.csv", "id,choice,gold\n1,yes,Yes\n2,no,Yes\n", logs.Options{}, 1, 2},
		"tsv":               {"a.tsv", "id\tacc\n1\t1\n2\t0\n", logs.Options{}, 1, 2},
		"json array":        {"a.json", "[{\"id\": 1, \"is_correct\": \"yes\"}]", logs.Options{}, 1, 1},
		"worked solutions":  {"a.jsonl", "{\"id\": 1, \"response\": \"It is 18.\\n#### 18\", \"target\": \"9 * 2 = 18\\n#### 18\"}\n", logs.Options{}, 1, 1},
		"named columns":     {"a.csv", "frage,gut\n1,1\n2,1\n", logs.Options{ID: "frage", Correct: "gut"}, 2, 2},
		"no id":             {"a.jsonl", "{\"correct\": true}\n{\"correct\": false}\n", logs.Options{}, 1, 2},
		"one line":          {"a.jsonl", "{\"id\": 1, \"correct\": true}", logs.Options{}, 1, 1},
		"pretty":            {"a.jsonl", "{\n \"outputs\": [{\"input\": \"Q: x\", \"prediction\": \"Yes\", \"target\": \"Yes\"}]\n}\n", logs.Options{}, 1, 1},
		"an arm":            {"a.jsonl", "{\"id\": 1, \"arm\": \"p\", \"correct\": true}\n{\"id\": 1, \"arm\": \"q\", \"correct\": false}\n", logs.Options{Arm: "q"}, 0, 1},
	} {
		l := mustRead(t, file(t, test.file, test.text), test.o)
		if l.Right() != test.right || len(l.Samples) != test.n {
			t.Errorf("%s: %d of %d right, expected %d of %d", name, l.Right(), len(l.Samples), test.right, test.n)
		}
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	fmt.Fprint(w, "{\"id\": 1, \"arm\": \"p\", \"correct\": true}\n{\"id\": 1, \"arm\": \"q\", \"correct\": false}\n")
	w.Close()
	if l := mustRead(t, file(t, "a.jsonl.gz", zipped.String())+"#p", logs.Options{}); l.Right() != 1 || l.Arm != "p" {
		t.Errorf("compressed, arm behind #: %+v", l)
	}
}

func TestBadLogsAreRefusedWithTheirCause(t *testing.T) {
	row := func(edit string, by string) string {
		text, err := os.ReadFile(golden("a", "tiny_piqa"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(text), edit, by, 1)
	}
	two := strings.Replace(inspectLog, `{"match": {"value": "C", "answer": "4"}}`, `{"match": {"value": "C"}, "model": {"value": "C"}}`, 1)
	for _, test := range []struct {
		file, text string
		o          logs.Options
		want       string
	}{
		{"a.jsonl", "", logs.Options{}, "no rows"},
		{"a.jsonl", "{\"id\": 1}\n", logs.Options{}, "nothing says what is right"},
		{"a.jsonl", "{\"id\": 1, \"answer\": \"B\"}\n", logs.Options{}, `an answer and its "target"`},
		{"a.jsonl", "{\"id\": 1, \"correct\": 0.5}\n", logs.Options{}, "0.5: only items that are right (1) or wrong (0)"},
		{"a.jsonl", "{\"id\": 1, \"correct\": \"maybe\"}\n", logs.Options{}, `"maybe"`},
		{"a.jsonl", "{\"id\": 1, \"correct\": null}\n", logs.Options{}, "expected true or false"},
		{"a.jsonl", "{\"id\": 1, \"correct\": 1}\n{\"id\": 1, \"correct\": 1}\n", logs.Options{}, `"1" is there twice`},
		{"a.jsonl", "{\"id\": 1, \"correct\": 1}\n{\"correct\": 1}\n", logs.Options{}, "row 2 has no id"},
		{"a.jsonl", "{\"id\": 1, \"correct\": 1}\nnot json\n", logs.Options{}, `row 2: expected a JSON object, found "not json"`},
		{"a.jsonl", "{\"id\": 1, \"correct\": 1}\n", logs.Options{Correct: "right"}, `no column "right": the log has "correct", "id"`},
		{"a.jsonl", "{\"id\": 1, \"arm\": \"p\", \"correct\": 1}\n{\"id\": 1, \"arm\": \"q\", \"correct\": 1}\n", logs.Options{}, `arms "p", "q"`},
		{"a.jsonl", "{\"id\": 1, \"arm\": \"p\", \"correct\": 1}\n", logs.Options{Arm: "r"}, `no row is of the arm "r"`},
		{"a.eval", "PK\x03\x04", logs.Options{}, "inspect log dump"},
		{"a.csv", "id,id\n1,2\n", logs.Options{}, `"id" is there twice`},
		{"a.csv", "id,correct\n1\n", logs.Options{}, "line 2 has 1 fields, the header 2"},
		{"a.csv", "", logs.Options{}, "no header"},
		{"a.json", "{", logs.Options{}, "no valid JSON"},
		{"a.json", "7", logs.Options{}, "expected a JSON object or an array"},
		{"a.json", `{"results": {}, "configs": {}}`, logs.Options{}, "name the log of its items"},
		{"a.json", two, logs.Options{}, `scorers "match", "model": name one`},
		{"a.json", inspectLog, logs.Options{Metric: "x"}, `no score by "x"`},
		{"a.json", strings.Replace(inspectLog, `"C"`, `"P"`, 1), logs.Options{}, "partly correct (P)"},
		{"a.json", strings.Replace(inspectLog, `"scores": {"match": {"value": "C", "answer": "4"}}`, `"scores": {}`, 1), logs.Options{}, "was not scored"},
		{"a.jsonl", row(`"acc": 1.0`, `"acc": 0.25`), logs.Options{}, "0.25"},
		{"a.jsonl", row("", ""), logs.Options{Metric: "f1"}, `no metric "f1": it has "acc", "acc_norm"`},
		{"a.jsonl", row("", ""), logs.Options{Filter: "strict"}, `no row has the filter "strict": the log has "none"`},
	} {
		_, err := logs.Read(file(t, test.file, test.text), test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q, %+v: error %v, expected one with %q", test.text[:min(60, len(test.text))], test.o, err, test.want)
		}
	}
	if _, err := logs.Read(t.TempDir(), logs.Options{}); err == nil || !strings.Contains(err.Error(), "no samples_TASK_DATE.jsonl") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := logs.Read("absent.jsonl", logs.Options{}); err == nil {
		t.Error("an absent file was read")
	}
	a := mustRead(t, file(t, "a.jsonl", "{\"id\": 1, \"correct\": 1}\n"), logs.Options{})
	b := mustRead(t, file(t, "b.jsonl", "{\"id\": 2, \"correct\": 1}\n"), logs.Options{})
	if _, err := logs.Compare(a, b, 0); err == nil || !strings.Contains(err.Error(), "no item in common") {
		t.Errorf("no item in common: %v", err)
	}
	if _, err := logs.Rescore(a, ""); err == nil || !strings.Contains(err.Error(), "no target") {
		t.Errorf("nothing to score: %v", err)
	}
}

// TestFoldersOfSubjectsAreOneLog: the harness writes a file for each subject of MMLU.
func TestFoldersOfSubjectsAreOneLog(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(golden("a", "tiny_piqa"))
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"mmlu_anatomy", "mmlu_virology"} {
		if err := os.WriteFile(filepath.Join(dir, "samples_"+subject+date+".jsonl"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := mustRead(t, dir, logs.Options{})
	if len(l.Samples) != 12 || l.Samples[0].ID != "mmlu_anatomy/0" || l.Samples[11].ID != "mmlu_virology/5" || l.Metric != "acc" {
		t.Errorf("%d samples, %q to %q", len(l.Samples), l.Samples[0].ID, l.Samples[11].ID)
	}
	if err := os.WriteFile(filepath.Join(dir, "samples_mmlu_anatomy_2026-11-30T00-00-00.000000.jsonl"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := logs.Read(dir, logs.Options{}); err == nil || !strings.Contains(err.Error(), "two runs of mmlu_anatomy") {
		t.Errorf("two runs in one folder: %v", err)
	}
}

func TestClustersOfPlainLogsAreRead(t *testing.T) {
	var a, b strings.Builder
	a.WriteString("id,passage,correct\n")
	b.WriteString("id,passage,correct\n")
	for i := range 40 {
		fmt.Fprintf(&a, "%d,p%d,0\n", i, i/2)
		fmt.Fprintf(&b, "%d,p%d,%d\n", i, i/2, i/2%2)
	}
	c, err := logs.Compare(mustRead(t, file(t, "a.csv", a.String()), logs.Options{}), mustRead(t, file(t, "b.csv", b.String()), logs.Options{}), 0)
	if err != nil || c.Clustered == nil || !c.Clustered.Decides || c.Clustered.Clusters != 20 || c.Gained != 20 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestItemsOfOneLogOnlyAreCountedAndLeftOut(t *testing.T) {
	a := mustRead(t, file(t, "a.jsonl", "{\"id\": 1, \"correct\": 1, \"question\": \"x?\", \"target\": \"A\"}\n{\"id\": 2, \"correct\": 0}\n"), logs.Options{})
	b := mustRead(t, file(t, "b.jsonl", "{\"id\": 3, \"correct\": 0}\n{\"id\": 1, \"correct\": 0, \"question\": \"please: x?\", \"target\": \"A\"}\n{\"id\": 4, \"correct\": 0}\n"), logs.Options{})
	c, err := logs.Compare(a, b, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c.N != 1 || c.Lost != 1 || c.OnlyA != 1 || c.OnlyB != 2 || c.Reworded != 1 {
		t.Errorf("%+v", c)
	}
	p := c.Part()
	for _, want := range []string{"only in A, left out: 1", "only in B, left out: 2", "asked in other words, with the same target: 1"} {
		if !strings.Contains(p.Method, want) {
			t.Errorf("the method does not say %q: %s", want, p.Method)
		}
	}
	if !strings.Contains(p.Finding, "b.jsonl against a.jsonl") || !strings.Contains(p.Finding, "too few items") {
		t.Errorf("finding: %s", p.Finding)
	}
}

func TestRescoreTakesTheFirstMaximumOfScores(t *testing.T) {
	for _, run := range []string{"a", "b"} {
		l := mustRead(t, golden(run, "tiny_piqa"), logs.Options{})
		r, err := logs.Rescore(l, "")
		if err != nil {
			t.Fatal(err)
		}
		if r.Correct != l.Right() || r.Before != l.Right() || r.Unread != 0 {
			t.Errorf("%s: %d right by scores, %d by acc", run, r.Correct, l.Right())
		}
	}
	r, err := logs.Rescore(mustRead(t, golden("a", "tiny_sums"), logs.Options{}), "")
	if err != nil || r.Form != extract.Number || r.Unread != 1 || r.N != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{inspectLog, "{\"id\": 1, \"correct\": true}\n", "{\"doc_id\": 0, \"doc\": {}, \"resps\": [[[]]], \"acc\": 1}", "[null]", "{\"outputs\": [7]}"} {
		f.Add(text, ".jsonl")
		f.Add(text, ".json")
		f.Add(text, ".csv")
	}
	f.Fuzz(func(t *testing.T, text, ext string) {
		if ext != ".json" && ext != ".csv" {
			ext = ".jsonl"
		}
		path := filepath.Join(t.TempDir(), "log"+ext)
		if os.WriteFile(path, []byte(text), 0o644) != nil {
			return
		}
		testlimit.Run(t, len(text), func() {
			if l, err := logs.Read(path, logs.Options{}); err == nil {
				if _, err := logs.Compare(l, l, 0); err != nil {
					t.Error(err)
				}
				_, _ = logs.Rescore(l, "")
			}
		})
	})
}
