package logs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/eval/extract"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// Rescored is a log whose answers were read again.
type Rescored struct {
	*Log
	N        int
	Correct  int
	Unread   int // answers that could not be read: wrong
	Accuracy float64
	CI95     stats.Interval // Wilson
	Before   int            // right by the log's own judgement; -1 where it has none
}

// Rescore reads every answer out of a log's texts again and compares it with the target, whatever the log says of itself. Where the log holds
// log-likelihoods of choices instead, the first of the largest is the answer and the target its number. The form is inferred from the
// targets of all items where none is given.
func Rescore(l *Log, form extract.Form) (*Rescored, error) {
	again := *l
	again.Samples = append([]Sample{}, l.Samples...)
	r := &Rescored{Log: &again, N: len(again.Samples), Before: -1}
	texts, scores, judged := false, 0, true
	for _, s := range l.Samples {
		texts = texts || s.Output != ""
		if len(s.Scores) > 0 {
			scores++
		}
		judged = judged && s.Judged
		if s.Target == "" {
			return nil, fmt.Errorf("logs: %s: item %q has no target: nothing says what is right", l.Name, s.ID)
		}
	}
	if judged {
		r.Before = l.Right()
	}
	switch {
	case texts:
		again.read(again.question(form))
	case scores == len(l.Samples):
		if err := again.choose(); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("logs: %s: %w", l.Name, errNoTexts)
	}
	r.Correct, r.Unread = again.Right(), len(again.Unparsed())
	r.Accuracy = float64(r.Correct) / float64(r.N)
	r.CI95 = stats.Wilson(r.Correct, r.N)
	return r, nil
}

// choose takes the first maximum of every sample's scores.
func (l *Log) choose() error {
	for i := range l.Samples {
		s := &l.Samples[i]
		target, err := strconv.Atoi(s.Target)
		if err != nil || target < 0 || target >= len(s.Scores) {
			return fmt.Errorf("logs: %s: item %q has the target %q, expected the number of one of %d choices, from 0", l.Name, s.ID, s.Target, len(s.Scores))
		}
		best := firstMaximum(s.Scores)
		s.Answer, s.Parsed, s.Right = strconv.Itoa(best), best >= 0, best == target
	}
	return nil
}

// shown is how many unparsed texts a part holds, and how much of each text's end.
const (
	shown    = 20
	shownEnd = 400
)

// Part is the score as a note shows it. Its numbers: accuracy, unparsed (share), and accuracy/logged where the log judged itself.
// Samples are the unparsed texts.
func (r *Rescored) Part() *report.Part {
	how := fmt.Sprintf("The %s is read out of each text (behind its last \"answer is\", \"Answer:\", \"Response:\", \"####\" or \\boxed{}) and compared with the target.", r.Form)
	if r.Form == "" {
		how = "The choice of largest log-likelihood, the first among equals, is compared with the target."
	}
	ci := r.CI95
	p := &report.Part{
		Method: fmt.Sprintf("%d items of %s. %s An answer that cannot be read counts as wrong; it is never guessed.", r.N, r.label(), how),
		Finding: fmt.Sprintf("%s answers %.1f %% of %d items correctly (95 %% interval %.1f to %.1f %%); %.1f %% of the answers could not be read.",
			r.label(), 100*r.Accuracy, r.N, 100*ci.Low, 100*ci.High, 100*float64(r.Unread)/float64(r.N)),
		Numbers: []report.Number{
			{Name: "accuracy", Value: r.Accuracy, Unit: "accuracy", N: r.N, CI95: &ci},
			{Name: "unparsed", Value: float64(r.Unread) / float64(r.N), Unit: "share of items", N: r.N},
		},
		Answers: true,
		Facts:   map[string]any{"log": r.label(), "form": string(r.Form)},
	}
	if r.Before >= 0 {
		p.Numbers = append(p.Numbers, report.Number{Name: "accuracy/logged", Value: float64(r.Before) / float64(r.N), Unit: "accuracy", N: r.N})
	}
	for i, s := range r.Unparsed() {
		if i == shown {
			break
		}
		text := []rune(strings.TrimSpace(s.Output))
		if len(text) > shownEnd {
			text = append([]rune("... "), text[len(text)-shownEnd:]...)
		}
		p.Samples = append(p.Samples, report.Sample{Title: fmt.Sprintf("Unparsed: item %s, target %s", s.ID, s.Target), Text: string(text)})
	}
	return p
}

// Parts makes a score a [report.Shower].
func (r *Rescored) Parts() []*report.Part { return []*report.Part{r.Part()} }
