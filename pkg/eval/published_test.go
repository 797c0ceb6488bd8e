package eval

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/stats"
)

// TestPairedStatisticsOnPublishedOutputs takes what a real model wrote on BIG-Bench-Hard, directly and with chain of thought: the
// accuracies must be the published ones, the p-values those of exact rational arithmetic (Python's fractions).
func TestPairedStatisticsOnPublishedOutputs(t *testing.T) {
	tests := []struct {
		task         string
		n            int
		direct, cot  float64 // published, percent
		gained, lost int
		p            float64
	}{
		{"navigate", 250, 50.4, 96.4, 122, 7, 3.112832046645853e-28},
		{"snarks", 178, 61.23595505617978, 59.55056179775281, 32, 35, 0.807194691367025},
		{"date_understanding", 250, 63.6, 87.2, 69, 10, 5.544696639021875e-12},
		{"multistep_arithmetic_two", 250, 1.2, 47.6, 117, 1, 7.162051980690033e-34},
	}
	for _, test := range tests {
		direct, cot := publishedOutcomes(t, "direct", test.task), publishedOutcomes(t, "cot", test.task)
		if len(direct) != test.n || len(cot) != test.n {
			t.Fatalf("%s: %d and %d outputs, expected %d", test.task, len(direct), len(cot), test.n)
		}
		rightDirect, rightCoT := 0, 0
		for i := range direct {
			if direct[i] {
				rightDirect++
			}
			if cot[i] {
				rightCoT++
			}
		}
		percent := func(k int) float64 { return 100 * float64(k) / float64(test.n) }
		if !near(percent(rightDirect), test.direct, 1e-12) || !near(percent(rightCoT), test.cot, 1e-12) {
			t.Errorf("%s: %v %% and %v %%, published are %v and %v", test.task, percent(rightDirect), percent(rightCoT), test.direct, test.cot)
		}
		v := stats.Family([]stats.Counts{stats.Count(cot, direct)})[0]
		if v.Gained != test.gained || v.Lost != test.lost || !near(v.Exact, test.p, 1e-9) {
			t.Errorf("%s: +%d -%d, p = %v, expected +%d -%d, p = %v", test.task, v.Gained, v.Lost, v.Exact, test.gained, test.lost, test.p)
		}
		if math.Abs(v.Difference-(test.cot-test.direct)/100) > 1e-12 || !v.CI95.Contains(v.Difference) {
			t.Errorf("%s: difference %v in %v", test.task, v.Difference, v.CI95)
		}
	}
}

var publishedAnswer = regexp.MustCompile(`(?s)answer is (.*?)\.?\s*$`)

// publishedOutcomes says of each output whether it is right, by the rule its authors scored by: what follows "answer is", or all of it.
func publishedOutcomes(t *testing.T, arm, task string) []bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "bbh-outputs", arm, task+".json"))
	if err != nil {
		t.Skipf("the published outputs are not beside this checkout: %v", err)
	}
	var file struct {
		Outputs []struct{ Prediction, Target string }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var right []bool
	for _, output := range file.Outputs {
		answer := output.Prediction
		if found := publishedAnswer.FindStringSubmatch(answer); found != nil {
			answer = found[1]
		}
		answer = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(answer), "."))
		right = append(right, answer == strings.TrimSpace(output.Target))
	}
	return right
}
