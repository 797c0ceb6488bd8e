package calibrate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/stats"
)

// Names of the arms of the test.
const (
	Untouched = "untouched"
	Chosen    = "chosen heads"
	Random    = "random heads"
	All       = "all heads"
)

// Calibration is what [Run] found.
type Calibration struct {
	Options       Options // with their defaults
	Layers, Heads int     // of the model; heads of a layer
	Candidates    int
	Profiles      []Profile  // one for each gain
	Untouched     float64    // mean of the criterion without a change: log p of the right choice, or minus the entropy
	Gain          float64    // of the chosen heads
	Chosen        []Response // best first; empty where no head responds by getting better
	// Parts of the examples.
	Choosing, Testing int
	// Test compares Untouched, Chosen and Random on the testing part; nil without chosen heads.
	Test *eval.Comparison
	// Spread are further sets of random heads and all candidates, outside the family that is tested.
	Spread []Spread
	// Compilations is how many graphs were built.
	Compilations int
}

// Spread is an arm that shows how much the choice of heads matters.
type Spread struct {
	Name       string
	Spec       emulate.Spec
	Accuracy   float64
	Difference float64 // from the untouched model
}

// Spec of the chosen heads.
func (c *Calibration) Spec() emulate.Spec {
	heads := make([]Head, len(c.Chosen))
	for i, r := range c.Chosen {
		heads[i] = r.Head
	}
	return c.Options.spec(c.Gain, heads)
}

// Taken is the profile of the gain that the heads were chosen at.
func (c *Calibration) Taken() Profile {
	return c.Profiles[max(0, slices.IndexFunc(c.Profiles, func(p Profile) bool { return p.Gain == c.Gain }))]
}

// Run splits a task, chooses heads on one part and tests them on the other. The testing part is not read before the choice is made. Eval.Known is of the responses:
// what is tested is known only after the choice.
func Run(ctx context.Context, task *eval.Task, o Options) (*Calibration, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	choosing, testing, err := Split(task, o.Percent, o.Seed)
	if err != nil {
		return nil, err
	}
	r, err := o.Eval.Runner()
	if err != nil {
		return nil, err
	}
	config := r.Model().Config
	candidates, err := o.candidates(config.Layers, config.Heads)
	if err != nil {
		return nil, err
	}
	if o.Heads == 0 {
		o.Heads = max(1, len(candidates)/10)
	}
	c := &Calibration{Options: o, Layers: config.Layers, Heads: config.Heads, Candidates: len(candidates), Choosing: len(choosing.Examples), Testing: len(testing.Examples)}
	built := r.Model().Compilations()
	if c.Profiles, c.Untouched, err = Respond(ctx, choosing, o); err != nil {
		return nil, err
	}
	c.choose()
	if len(c.Chosen) > 0 {
		err = c.test(ctx, testing, candidates)
	}
	c.Compilations = r.Model().Compilations() - built
	return c, err
}

// choose takes the best heads of one gain: of several, that to which more heads respond by getting better, as ZeroTuning does; among equals that whose best heads
// respond more.
func (c *Calibration) choose() {
	total := func(p Profile) (sum float64) {
		for _, r := range p.Best(c.Options.Heads) {
			sum += r.Mean
		}
		return sum
	}
	best := c.Profiles[0]
	for _, p := range c.Profiles[1:] {
		if n, m := p.Better(), best.Better(); n > m || n == m && total(p) > total(best) {
			best = p
		}
	}
	c.Gain, c.Chosen = best.Gain, best.Best(c.Options.Heads)
}

// test compares the chosen heads with the untouched model and with random heads.
func (c *Calibration) test(ctx context.Context, testing *eval.Task, candidates []Head) error {
	draws := c.draw(candidates)
	c.Options.Eval.Known = false
	arm := func(name string, heads []Head) eval.Arm {
		return eval.Arm{Name: name, Plan: emulate.Plan{c.Options.spec(c.Gain, heads)}, Answer: c.Options.Answer}
	}
	untouched := eval.Arm{Name: Untouched, Answer: c.Options.Answer}
	arms := []eval.Arm{untouched, {Name: Chosen, Plan: emulate.Plan{c.Spec()}, Answer: c.Options.Answer}}
	o := c.Options.Eval
	if len(draws) > 0 {
		arms = append(arms, arm(Random, draws[0]))
		o.Controls = map[string][]string{Chosen: {Random}}
	}
	var err error
	if c.Test, err = eval.Compare(ctx, testing, arms, o); err != nil {
		return err
	}
	others := []eval.Arm{untouched}
	for i, heads := range draws[min(1, len(draws)):] {
		others = append(others, arm(fmt.Sprintf("%s %d", Random, i+2), heads))
	}
	if len(c.Chosen) < len(candidates) {
		others = append(others, arm(All, candidates))
	}
	answers, err := c.Options.answers(ctx, testing, others, "other sets of heads")
	if err != nil {
		return err
	}
	base := worth(testing, answers[0])
	for i, a := range others[1:] {
		x := worth(testing, answers[i+1])
		c.Spread = append(c.Spread, Spread{Name: a.Name, Spec: a.Plan[0], Accuracy: x, Difference: x - base})
	}
	return nil
}

// worth is the accuracy of answers.
func worth(task *eval.Task, outcomes []eval.Outcome) float64 {
	sum, n := 0.0, 0
	for i, o := range outcomes {
		if o.Refused == "" {
			sum, n = sum+o.Judge(task.Metric, task.Examples[i]).Worth, n+1
		}
	}
	return sum / float64(max(1, n))
}

// draw are sets of as many random heads as were chosen, each another one: of the candidates that were not chosen, where there are enough of them.
func (c *Calibration) draw(candidates []Head) [][]Head {
	k := len(c.Chosen)
	var rest []Head
	for _, h := range candidates {
		if !slices.ContainsFunc(c.Chosen, func(r Response) bool { return r.Head == h }) {
			rest = append(rest, h)
		}
	}
	if len(rest) < k {
		rest = candidates
	}
	const stream = 0x7261_6e64 // "rand": keeps this draw apart from others of the same seed
	random := rand.New(rand.NewPCG(c.Options.Seed, stream))
	seen := map[string]bool{c.Spec().Hash(): true}
	var out [][]Head
	for range 20 * c.Options.Draws { // few candidates have few sets
		if len(out) == c.Options.Draws {
			break
		}
		heads := make([]Head, k)
		for i, at := range random.Perm(len(rest))[:k] {
			heads[i] = rest[at]
		}
		if hash := c.Options.spec(c.Gain, heads).Hash(); !seen[hash] {
			seen[hash] = true
			out = append(out, heads)
		}
	}
	return out
}

// Finding is the calibration in one sentence.
func (c *Calibration) Finding(metric string) string {
	o := c.Options
	if c.Test == nil {
		return fmt.Sprintf("%s: no head gets better by %s on the %d items that heads are chosen on: there is nothing to test.", o.Method, o.By, c.Choosing)
	}
	sentence := fmt.Sprintf("%s (gain %.3g) on the %d heads chosen by %s on %d items, asked %d others", o.Method, c.Gain, len(c.Chosen), o.By, c.Choosing, c.Test.N)
	row, ok := c.Test.Row(metric, eval.GroupAll, Chosen)
	if !ok || row.Versus == nil {
		return sentence + "."
	}
	sentence += ": " + words(row.Versus, "the untouched model")
	if len(row.Controls) > 0 {
		sentence += "; " + words(&row.Controls[0], "as many random heads")
	}
	return sentence + "."
}

// words are a difference with its interval and its word: the interval that agrees with it, since one at 95 % may exclude 0 where nothing is shown.
func words(p *eval.Paired, against string) string {
	if p.Word == string(stats.NotShown) {
		return fmt.Sprintf("%s against %s (%+.1f points, %+.1f to %+.1f for all %d comparisons together, p %.2g after Holm's correction)",
			p.Word, against, 100*p.Difference, 100*p.CIFamily.Low, 100*p.CIFamily.High, p.Family, p.Adjusted)
	}
	return fmt.Sprintf("%s against %s (%+.1f points, 95 %% interval %+.1f to %+.1f, p %.2g after Holm's correction)", p.Word, against, 100*p.Difference, 100*p.CI95.Low, 100*p.CI95.High, p.Adjusted)
}
