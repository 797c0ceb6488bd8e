package eval

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPromptsAreTheHarnesses compares prompts, choices and answers with those that the common harness makes of the same rows; testdata/harness/make.py
// wrote them.
func TestPromptsAreTheHarnesses(t *testing.T) {
	text, err := os.ReadFile("testdata/harness/tasks.json")
	if err != nil {
		t.Fatal(err)
	}
	var tasks []struct {
		Task, File, Dev, Test string
		Rows                  []string
		Shots                 int
		Docs                  []struct {
			Prompt  string
			Choices []string
			Answer  int
		}
	}
	if err := json.Unmarshal(text, &tasks); err != nil {
		t.Fatal(err)
	}
	for _, want := range tasks {
		dir := t.TempDir()
		ref := filepath.Join(dir, want.File)
		files := map[string]string{want.File: strings.Join(want.Rows, "\n") + "\n"}
		if want.Task == "mmlu" {
			ref = dir
			files = map[string]string{want.File: want.Test, strings.ReplaceAll(want.File, "test", "dev"): want.Dev}
		}
		for name, content := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		task := mustLoad(t, ref, 0, TaskOptions{Shots: want.Shots})
		if task.Name != want.Task || len(task.Examples) != len(want.Docs) {
			t.Errorf("%s: read as %s with %d examples, expected %d", want.Task, task.Name, len(task.Examples), len(want.Docs))
			continue
		}
		for i, doc := range want.Docs {
			got := task.Examples[i]
			if got.Prompt != doc.Prompt || !slices.Equal(got.Choices, doc.Choices) || got.Answer != doc.Answer {
				t.Errorf("%s, example %d:\n%q %q %d\nexpected\n%q %q %d", want.Task, i, got.Prompt, got.Choices, got.Answer, doc.Prompt, doc.Choices, doc.Answer)
			}
		}
	}
}
