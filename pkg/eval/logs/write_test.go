package logs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/eval/logs"
)

// keys are an object's in the order of the text.
func keys(t *testing.T, text []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	var out []string
	depth, name := 0, true
	for {
		token, err := decoder.Token()
		if err != nil {
			return out
		}
		switch d, ok := token.(json.Delim); {
		case ok && (d == '{' || d == '['):
			depth++
			name = true
			continue
		case ok:
			depth--
		}
		if depth != 1 {
			continue
		}
		if s, ok := token.(string); ok && name {
			out = append(out, s)
			name = false
		} else {
			name = true
		}
	}
}

// TestSamplesAreWrittenAsTheHarnessDoes writes the harness' own rows again: keys, their order, hashes and values are the same, but for
// the flag of greedy decoding, which is not computed here, and "arm", which is ours.
func TestSamplesAreWrittenAsTheHarnessDoes(t *testing.T) {
	for _, task := range []string{"tiny_piqa", "tiny_sums"} {
		text, err := os.ReadFile(golden("a", task))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var row struct {
				DocID     int `json:"doc_id"`
				Doc       json.RawMessage
				Target    string
				Arguments map[string]struct {
					Prompt string `json:"arg_0"`
					Arg1   any    `json:"arg_1"`
				}
				Resps    []any
				Filtered []any `json:"filtered_resps"`
				Filter   string
				Metrics  []string
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(line), &want); err != nil {
				t.Fatal(err)
			}
			r := logs.Row{DocID: row.DocID, Doc: row.Doc, Target: row.Target, Prompt: row.Arguments["gen_args_0"].Prompt, Filter: row.Filter}
			for _, m := range row.Metrics {
				r.Metrics = append(r.Metrics, logs.Metric{Name: m, Value: want[m].(float64)})
			}
			if l := mustRead(t, golden("a", task), logs.Options{}); task == "tiny_piqa" {
				r.Choices = []string{row.Arguments["gen_args_0"].Arg1.(string), row.Arguments["gen_args_1"].Arg1.(string)}
				r.Scores = l.Samples[row.DocID].Scores
			} else {
				r.Generation, r.Text, r.Extracted = row.Arguments["gen_args_0"].Arg1.(map[string]any), l.Samples[row.DocID].Output, row.Filtered[0].(string)
			}
			var out bytes.Buffer
			if err := logs.WriteSamples(&out, []logs.Row{r}); err != nil {
				t.Fatal(err)
			}
			if got, want := keys(t, out.Bytes()), keys(t, []byte(line)); !slices.Equal(got, want) || len(got) < 12 {
				t.Fatalf("keys %q, the harness has %q", got, want)
			}
			var got map[string]any
			if err := json.Unmarshal(bytes.ReplaceAll(out.Bytes(), []byte(`"None"`), []byte(`"False"`)), &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("row %d of %s:\n%v\nthe harness has\n%v", row.DocID, task, got, want)
			}
			if !bytes.Contains(out.Bytes(), []byte(`: 1.0`)) && !bytes.Contains(out.Bytes(), []byte(`: 0.0`)) {
				t.Errorf("metrics are no floats: %s", out.Bytes())
			}
		}
	}
}

func TestResultsHaveTheHarnessKeys(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "lm_eval", "a", "results"+date+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = logs.WriteResults(&out, logs.Results{Model: "org/model", Date: time.Unix(1, 500000000), Version: "1", Limit: 6, Tasks: []logs.TaskResult{
		{Name: "tiny_piqa", Metrics: []logs.Metric{{Name: "acc", Value: 0.5}, {Name: "acc_norm", Value: 1}}, N: 6, Original: 6, Version: 1.0},
		{Name: "tiny_piqa@released", Metrics: []logs.Metric{{Name: "acc", Value: 0.25}}, N: 1, Original: 6},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key := range want {
		if got[key] == nil {
			t.Errorf("no key %q", key)
		}
	}
	var results map[string]map[string]any
	if err := json.Unmarshal(got["results"], &results); err != nil {
		t.Fatal(err)
	}
	piqa := results["tiny_piqa"]
	if piqa["acc,none"] != 0.5 || piqa["acc_stderr,none"].(float64) < 0.2236 || piqa["acc_stderr,none"].(float64) > 0.2237 || piqa["acc_norm_stderr,none"] != 0.0 || piqa["sample_len"] != 6.0 {
		t.Errorf("%v", piqa)
	}
	if results["tiny_piqa@released"]["acc_stderr,none"] != "N/A" {
		t.Errorf("%v", results["tiny_piqa@released"])
	}
	var config map[string]any
	if err := json.Unmarshal(want["config"], &config); err != nil {
		t.Fatal(err)
	}
	var mine map[string]any
	if err := json.Unmarshal(got["config"], &mine); err != nil {
		t.Fatal(err)
	}
	for key := range config {
		if _, ok := mine[key]; !ok {
			t.Errorf("no config key %q", key)
		}
	}
	samples, totals := logs.FileNames("a/b", time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC))
	if samples != "samples_a_b_2026-11-29T01-02-03.000000.jsonl" || totals != "results_2026-11-29T01-02-03.000000.json" {
		t.Errorf("%s, %s", samples, totals)
	}
}

// TestTaskHashIsTheHarness: SHA-256 over the rows' hashes.
func TestTaskHashIsTheHarness(t *testing.T) {
	text, err := os.ReadFile(golden("a", "tiny_piqa"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []logs.Row
	for line := range strings.Lines(string(text)) {
		var row struct {
			Doc       json.RawMessage
			Target    string
			Arguments map[string]map[string]any
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, logs.Row{Doc: row.Doc, Target: row.Target, Prompt: row.Arguments["gen_args_0"]["arg_0"].(string)})
	}
	var out bytes.Buffer
	if err := logs.WriteResults(&out, logs.Results{Tasks: []logs.TaskResult{{Name: "tiny_piqa", Rows: rows}}}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Hashes map[string]string `json:"task_hashes"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	totals, err := os.ReadFile(filepath.Join("testdata", "lm_eval", "a", "results"+date+".json"))
	if err != nil || got.Hashes["tiny_piqa"] == "" || !strings.Contains(string(totals), got.Hashes["tiny_piqa"]) {
		t.Errorf("hash %q, %v", got.Hashes["tiny_piqa"], err)
	}
}
