package bench

import (
	"fmt"
	"slices"
	"time"

	"github.com/attune-lab/attune/pkg/model"
)

// Rate is a speed with the times that it is the median of.
type Rate struct {
	TokensPerSecond float64
	Seconds         []float64 // of each repeat, sorted
	Allocations     float64   // objects allocated on the host for each token; of decoding only
	Slots           int       // of each sequence's cache at the end of the long generation, all of which a step on XLA reads; of decoding only
	Plan            []string  // how each layer was computed; of a prefill only
}

// Prefill measures a forward pass over one prompt of so many tokens, as one graph, the output head at its last token only. The experiment may be nil.
func Prefill(m *model.Model, tokens, repeats int, exp model.Experiment) (Rate, error) {
	p := prompt(m, tokens, 0)
	want := model.Outputs{Targets: model.Targets{{{Position: tokens - 1, Token: 0}}}, Whole: true}
	var plan []string
	seconds, err := median(repeats, func() error {
		r, err := m.Forward(model.Prompts(p), want, exp)
		if err == nil {
			plan = r.Plan
		}
		return err
	})
	if err != nil {
		return Rate{}, err
	}
	return Rate{TokensPerSecond: float64(tokens) / seconds[len(seconds)/2], Seconds: seconds, Plan: plan}, nil
}

// Decode measures greedy decoding of batch sequences after prompts of a length: (batch * (long - short)) tokens in the difference of the times
// that generating long and short numbers of tokens takes. The experiment may be nil.
func Decode(m *model.Model, batch, length, short, long, repeats int, exp model.Experiment) (Rate, error) {
	if short >= long {
		return Rate{}, fmt.Errorf("decoding is timed between %d and %d tokens: expected the first to be smaller", short, long)
	}
	prompts := make([][]int, batch)
	for i := range prompts {
		prompts[i] = prompt(m, length, i)
	}
	slots := 0
	timed := func(n int) (seconds []float64, allocations float64, err error) {
		generate := func() error {
			// One chunk and one room: both numbers of tokens run through the same graphs, whose steps read as much.
			g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: n, Room: long, IgnoreEOS: true, Chunk: short}, exp)
			if err == nil {
				slots = g.Slots
			}
			return err
		}
		if seconds, err = median(repeats, generate); err == nil {
			allocations, err = Allocations(generate)
		}
		return seconds, allocations, err
	}
	few, fewAllocations, err := timed(short)
	if err != nil {
		return Rate{}, err
	}
	many, manyAllocations, err := timed(long)
	if err != nil {
		return Rate{}, err
	}
	tokens := batch * (long - short)
	seconds, err := between(few, many, short, long)
	if err != nil {
		return Rate{}, err
	}
	return Rate{TokensPerSecond: float64(tokens) / seconds, Seconds: many, Allocations: (manyAllocations - fewAllocations) / float64(tokens), Slots: slots}, nil
}

// between is how much longer many tokens take than few, by the medians.
func between(few, many []float64, short, long int) (float64, error) {
	a, b := few[len(few)/2], many[len(many)/2]
	if b <= a {
		return 0, fmt.Errorf("generating %d tokens took %.3g s and %d tokens %.3g s: the machine is too busy, or these are too few, to tell a speed; decode more tokens or repeat more often", short, a, long, b)
	}
	return b - a, nil
}

// median runs f once to warm up and then repeatedly, and returns the sorted seconds of the repeats.
func median(repeats int, f func() error) ([]float64, error) {
	if err := f(); err != nil {
		return nil, err
	}
	var seconds []float64
	for range max(1, repeats) {
		start := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	slices.Sort(seconds)
	return seconds, nil
}

// prompt makes token ids that depend on a seed and start with BOS.
func prompt(m *model.Model, n, seed int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = (seed*7919 + i*i*31 + i*7) % m.Config.VocabSize
	}
	if m.Config.BOS >= 0 {
		p[0] = m.Config.BOS
	}
	return p
}
