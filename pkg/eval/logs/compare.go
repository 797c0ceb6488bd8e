package logs

import (
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// Comparison is two logs of the same items, paired by id: B against A.
type Comparison struct {
	A, B         *Log
	OnlyA, OnlyB int // items that only one log has: left out
	Reworded     int // pairs whose question differs while the target is the same: other prompts, counted as the same items
	RightA       int // of the pairs
	RightB       int
	UnparsedA    int // of the pairs, where answers were read out of texts
	UnparsedB    int
	stats.Paired // Gained: wrong in A, right in B. N: pairs
	Margin       float64
}

// Compare pairs two logs. It refuses logs that have no item in common, and pairs whose question and target both differ: those are not the
// same items. The margin is that of equivalence; 0 means [stats.Margin].
func Compare(a, b *Log, margin float64) (*Comparison, error) {
	if margin <= 0 {
		margin = stats.Margin
	}
	c := &Comparison{A: a, B: b, Margin: margin}
	at := make(map[string]int, len(b.Samples))
	for i, s := range b.Samples {
		at[s.ID] = i
	}
	var before, after []bool
	var clusters []string
	shared := false
	for _, sa := range a.Samples {
		i, ok := at[sa.ID]
		if !ok {
			c.OnlyA++
			continue
		}
		sb := b.Samples[i]
		if sa.Item != "" && sb.Item != "" && sa.Item != sb.Item {
			if sa.Target != sb.Target || sa.Target == "" {
				return nil, fmt.Errorf("logs: item %q of %s is another one in %s: %q with target %q, and %q with target %q: are these logs of the same items?",
					sa.ID, a.Name, b.Name, shorten(sa.Item), sa.Target, shorten(sb.Item), sb.Target)
			}
			c.Reworded++
		}
		before, after = append(before, sa.Right), append(after, sb.Right)
		clusters = append(clusters, sa.Cluster)
		shared = shared || sa.Cluster != ""
		count(&c.RightA, sa.Right)
		count(&c.RightB, sb.Right)
		count(&c.UnparsedA, !sa.Parsed)
		count(&c.UnparsedB, !sb.Parsed)
	}
	if len(before) == 0 {
		return nil, fmt.Errorf("logs: %s and %s have no item in common: their ids are such as %q and %q", a.Name, b.Name, a.Samples[0].ID, b.Samples[0].ID)
	}
	c.OnlyB = len(b.Samples) - len(before)
	if !shared {
		clusters = nil
	}
	c.Paired = stats.ClusteredFamily([]stats.Clusters{stats.Cluster(after, before, clusters)})[0]
	return c, nil
}

func count(n *int, when bool) {
	if when {
		*n++
	}
}

func shorten(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}

// labels name the two logs, by file if that tells them apart.
func (c *Comparison) labels() (a, b string) {
	a, b = c.A.label(), c.B.label()
	if a == b {
		return "A (" + a + ")", "B (" + b + ")"
	}
	return a, b
}

func (l *Log) label() string {
	if l.Arm != "" {
		return l.Name + "#" + l.Arm
	}
	return l.Name
}

// Part is the comparison as a note shows it. Its numbers: difference (B minus A, with its interval), mcnemar_p (exact), score_p (the test
// that decides), flipped_right (wrong in A, right in B), flipped_wrong, accuracy/a, accuracy/b, and detectable where something is.
func (c *Comparison) Part() *report.Part {
	a, b := c.labels()
	ci := c.CI95
	wilsonA, wilsonB := stats.Wilson(c.RightA, c.N), stats.Wilson(c.RightB, c.N)
	n := float64(c.N)
	p := &report.Part{
		Method: fmt.Sprintf("Each item of %s (A) is paired with the item of the same id in %s (B): %d pairs. %s %s The difference is B minus A; its interval is Tango's, which inverts the score test.",
			a, b, c.N, c.A.judgedBy("A"), c.B.judgedBy("B")),
		Finding: c.Finding(b, a, c.Margin), Answers: true,
		Numbers: []report.Number{
			{Name: "difference", Value: c.Difference, Unit: "accuracy", N: c.N, CI95: &ci},
			{Name: "mcnemar_p", Value: c.Exact, Unit: "p, exact", N: c.N},
			{Name: "score_p", Value: c.P, Unit: "p", N: c.N},
			{Name: "flipped_right", Value: float64(c.Gained), Unit: "items", N: c.N},
			{Name: "flipped_wrong", Value: float64(c.Lost), Unit: "items", N: c.N},
			{Name: "accuracy/a", Value: float64(c.RightA) / n, Unit: "accuracy", N: c.N, CI95: &wilsonA},
			{Name: "accuracy/b", Value: float64(c.RightB) / n, Unit: "accuracy", N: c.N, CI95: &wilsonB},
		},
		Facts: map[string]any{"a": a, "b": b, "metric_a": c.A.Metric, "metric_b": c.B.Metric},
	}
	if c.Detectable > 0 {
		p.Numbers = append(p.Numbers, report.Number{Name: "detectable", Value: c.Detectable, Unit: "accuracy", N: c.N})
	}
	table := report.Table{Name: "paired", Title: "The same items in both logs", Columns: []string{"", "right in B", "wrong in B"}}
	bothRight := c.RightA - c.Lost
	table.Rows = [][]any{{"right in A", bothRight, c.Lost}, {"wrong in A", c.Gained, c.N - bothRight - c.Lost - c.Gained}}
	p.Tables = append(p.Tables, table)
	for _, left := range []struct {
		n    int
		what string
	}{
		{c.OnlyA, "Items only in A, left out"}, {c.OnlyB, "Items only in B, left out"},
		{c.Reworded, "Pairs asked in other words, with the same target"},
		{c.UnparsedA, "Answers of A that could not be read and count as wrong"}, {c.UnparsedB, "Answers of B that could not be read and count as wrong"},
	} {
		if left.n > 0 {
			p.Method += fmt.Sprintf(" %s: %d.", left.what, left.n)
		}
	}
	return p
}

// Parts makes a comparison a [report.Shower].
func (c *Comparison) Parts() []*report.Part { return []*report.Part{c.Part()} }

// judgedBy says how a log's items are right or wrong.
func (l *Log) judgedBy(name string) string {
	switch {
	case l.Form != "":
		return fmt.Sprintf("In %s an item is right where the %s read out of its text is the target.", name, l.Form)
	case l.Filter != "" && l.Filter != "none":
		return fmt.Sprintf("%s is judged by %s, filter %s.", name, l.Metric, l.Filter)
	}
	return fmt.Sprintf("%s is judged by %s.", name, l.Metric)
}

// errNoTexts is returned where a log has nothing to read answers from.
var errNoTexts = errors.New("the log holds no texts and no log-likelihoods of choices: there is nothing to score again")
