package logs

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// metrics of lm-eval that say right or wrong, in the order in which one is taken where a row has several.
var metrics = []string{"acc", "exact_match", "em", "acc_norm", "pass@1", "pass_at_1", "accuracy"}

// lmEval reads rows of samples_*.jsonl. A document has a row for each filter.
func (l *Log) lmEval(records []record, o Options) error {
	l.Format = LMEval
	if err := l.pickArm(records, o); err != nil {
		return err
	}
	filters := distinct(records, "filter")
	l.Filter = o.Filter
	if l.Filter == "" && len(filters) > 0 {
		l.Filter = filters[0]
	}
	if len(filters) > 0 && !slices.Contains(filters, l.Filter) {
		return fmt.Errorf("no row has the filter %q: the log has %s", l.Filter, quoted(filters))
	}
	for _, r := range records {
		if r.text("arm") != l.Arm || len(filters) > 0 && r.text("filter") != l.Filter {
			continue
		}
		if l.Metric == "" {
			metric, err := metricOf(r, o)
			if err != nil {
				return err
			}
			l.Metric = metric
		}
		s := Sample{ID: r.text("doc_id"), Item: r.text("doc_hash"), Target: gold(r.text("target")), Judged: true}
		if s.ID == "" {
			return fmt.Errorf("row %d has no doc_id", r.line)
		}
		right, err := binary(r.fields[l.Metric])
		if err != nil {
			return fmt.Errorf("row %d (doc_id %s), %s: %w", r.line, s.ID, l.Metric, err)
		}
		s.Right = right
		s.Output, s.Scores = responses(r)
		l.Samples = append(l.Samples, s)
	}
	return nil
}

// pickArm takes the arm that is asked for, or the only one.
func (l *Log) pickArm(records []record, o Options) error {
	arms := distinct(records, "arm")
	switch {
	case o.Arm != "" && !slices.Contains(arms, o.Arm):
		return fmt.Errorf("no row is of the arm %q: the log has %s", o.Arm, quoted(arms))
	case o.Arm == "" && len(arms) > 1:
		return fmt.Errorf("the log has the arms %s: name one behind the file, %q", quoted(arms), "FILE#"+arms[0])
	case o.Arm == "" && len(arms) == 1:
		l.Arm = arms[0]
	}
	return nil
}

func metricOf(r record, o Options) (string, error) {
	var named []string
	_ = json.Unmarshal(r.fields["metrics"], &named)
	if o.Metric != "" {
		if !r.has(o.Metric) {
			return "", fmt.Errorf("row %d has no metric %q: it has %s", r.line, o.Metric, quoted(named))
		}
		return o.Metric, nil
	}
	for _, m := range metrics {
		if r.has(m) {
			return m, nil
		}
	}
	if len(named) == 1 && r.has(named[0]) {
		return named[0], nil
	}
	return "", fmt.Errorf("row %d has no metric that says right or wrong (%s): it has %s; name one", r.line, strings.Join(metrics, ", "), quoted(named))
}

// responses are the first text that was written, or the log-likelihoods of the choices.
func responses(r record) (text string, scores []float64) {
	var texts [][]string // [request][repeat]
	if json.Unmarshal(r.fields["resps"], &texts) == nil {
		if len(texts) > 0 && len(texts[0]) > 0 {
			text = texts[0][0]
		}
		return text, nil
	}
	var choices [][][2]any // [request][repeat]{log-likelihood, is greedy}
	if json.Unmarshal(r.fields["resps"], &choices) != nil {
		return "", nil
	}
	for _, c := range choices {
		if len(c) == 0 {
			return "", nil
		}
		score, err := strconv.ParseFloat(fmt.Sprint(c[0][0]), 64)
		if err != nil {
			return "", nil
		}
		scores = append(scores, score)
	}
	return "", scores
}

// binary is a score that is right or wrong.
func binary(raw json.RawMessage) (bool, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return false, fmt.Errorf("no value")
	}
	switch x := v.(type) {
	case bool:
		return x, nil
	case float64:
		if x == 0 || x == 1 {
			return x == 1, nil
		}
		return false, fmt.Errorf("the score is %v: only items that are right (1) or wrong (0) can be paired", x)
	case string:
		switch strings.ToLower(strings.TrimSpace(x)) {
		case "true", "1", "1.0", "yes", "correct", "right", "c":
			return true, nil
		case "false", "0", "0.0", "no", "incorrect", "wrong", "i", "n":
			return false, nil
		}
		return false, fmt.Errorf("the score is %q: expected true or false, 1 or 0, correct or incorrect", x)
	}
	return false, fmt.Errorf("the score is %s: expected true or false, 1 or 0", excerpt(raw))
}

// distinct values of a field, in order of appearance; rows without it are left out.
func distinct(records []record, name string) []string {
	var out []string
	for _, r := range records {
		if v := r.text(name); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strconv.Quote(n)
	}
	return strings.Join(out, ", ")
}

// firstMaximum is the choice that the harness takes: the largest score, the first among equals; -1 without scores.
func firstMaximum(scores []float64) int {
	best := -1
	for i, s := range scores {
		if !math.IsNaN(s) && (best < 0 || s > scores[best]) {
			best = i
		}
	}
	return best
}
