package parity

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// What a model is checked on: two texts that are cut to lengths of their own, and so many tokens decoded behind the first.
const (
	selfTokens  = 24
	selfDecoded = 8
	selfText    = "Question: Ada is the mother of Ben. Ben is the father of Cora, who lives in a house by the sea. What is Ada to Cora? Answer:"
	selfMate    = "The harbour was quiet in the morning; two boats had left before sunrise, and a third lay on the beach."
)

// Limits of a model's own checks, relative to its largest logit: float32 sums in another order, and bfloat16's rounding.
const (
	selfLimit     = 1e-4
	selfHalfLimit = 5e-2
	selfChange    = 1e-5 // that halving one layer's diagonal must make
)

// Self checks what must hold of any model, without a reference. Values of logits are relative to the largest one.
//
//	rows sum to one       attention rows of every layer and head; with a learned sink, at most one
//	future unseen         the largest probability of a key ahead of the query, or behind the window: exactly 0
//	padding               logits of a prompt with padding behind it
//	batch mates           logits of a prompt beside a shorter one, and of that one
//	change by one         logits where the diagonal of every layer's attention is multiplied by 1: an experiment alone changes nothing
//	change, layer L       logits where that of one layer is halved: the least change of all layers must be there
//	decode                how far below the best logit of a prefill the tokens are that were decoded greedily
//	decode, released      the same under the emulation layer
//
// progress, which may be nil, is told each row as it is made.
func Self(m *model.Model, progress func(Row)) ([]Row, error) {
	c := &selfCheck{model: m, limit: selfLimit}
	if m.DType != dtypes.Float32 {
		c.limit = selfHalfLimit
	}
	n := min(selfTokens, m.Config.MaxPositions/2)
	if n < 2 {
		return nil, fmt.Errorf("a model of %d positions: its own checks need 4", m.Config.MaxPositions)
	}
	c.prompt, c.mate = c.tokens(selfText, n), c.tokens(selfMate, (n+1)/2)
	var err error
	if c.logits, err = c.run(model.Batch{Tokens: [][]int{c.prompt}, Bucket: 1}, nil); err != nil {
		return nil, err
	}
	for _, x := range c.logits {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("a logit of the model is %v", x)
		}
		c.scale = max(c.scale, math.Abs(float64(x)))
	}
	var rows []Row
	for _, check := range []func() ([]Row, error){c.rows, c.padding, c.mates, c.changes, c.decode} {
		more, err := check()
		if err != nil {
			return nil, err
		}
		for _, r := range more {
			rows = append(rows, r)
			if progress != nil {
				progress(r)
			}
		}
	}
	return rows, nil
}

// SelfChecks is how many rows Self gives.
const SelfChecks = 8

type selfCheck struct {
	model        *model.Model
	prompt, mate []int
	logits       []float32 // of the prompt alone, [tokens, vocab]
	scale, limit float64
}

// tokens are a text's first n ids, or some ids where the model has no tokenizer or the text has fewer.
func (c *selfCheck) tokens(text string, n int) []int {
	var ids []int
	if c.model.Tokenizer != nil {
		ids = c.model.Tokenizer.Encode(text)
	}
	for i := len(ids); i < n; i++ {
		ids = append(ids, (i*7919+13)%c.model.Config.VocabSize)
	}
	return ids[:n]
}

// run gives all logits of a batch's first prompt, without padding.
func (c *selfCheck) run(b model.Batch, e model.Experiment) ([]float32, error) {
	of, err := c.runAll(b, e)
	if err != nil {
		return nil, err
	}
	return of[0], nil
}

func (c *selfCheck) runAll(b model.Batch, e model.Experiment) ([][]float32, error) {
	r, err := c.model.Forward(b, model.Outputs{Logits: true}, e)
	if err != nil {
		return nil, err
	}
	d, flat := r.Logits.Shape().Dimensions, tensors.MustCopyFlatData[float32](r.Logits)
	out := make([][]float32, len(b.Tokens))
	for i, p := range b.Tokens {
		out[i] = flat[i*d[1]*d[2]:][:len(p)*d[2]]
	}
	return out, nil
}

// distance is the largest difference of two sets of logits.
func (c *selfCheck) distance(a, b []float32) float64 {
	most := 0.0
	for i := range a {
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= most) { // NaN too
			most = d
		}
	}
	return most / c.scale
}

func (c *selfCheck) rows() ([]Row, error) {
	maps, err := sink.AttentionMaps(c.model, [][]int{c.prompt}, nil)
	if err != nil {
		return nil, err
	}
	sums := Row{Tensor: "rows sum to one", Limit: attentionLimit}
	future := Row{Tensor: "future unseen"}
	windows, sinks := c.model.Windows(), c.model.LearnedSinks()
	n := len(c.prompt)
	for l, x := range maps {
		flat := tensors.MustCopyFlatData[float32](x)
		for at := 0; at < len(flat); at += n {
			query, sum := at/n%n, 0.0
			for k, p := range flat[at : at+n] {
				sum += float64(p)
				if k > query || windows[l] > 0 && query-k >= windows[l] {
					future.Value = max(future.Value, math.Abs(float64(p)))
					future.N++
				}
			}
			off := math.Abs(sum - 1)
			if sinks[l] && sum > 0 && sum < 1 {
				off = 0
			}
			if !(off <= sums.Value) {
				sums.Value = off
			}
			sums.N++
		}
	}
	return []Row{sums, future}, nil
}

func (c *selfCheck) padding() ([]Row, error) {
	padded, err := c.run(model.Batch{Tokens: [][]int{c.prompt}, Bucket: len(c.prompt) + min(8, c.model.Config.MaxPositions-len(c.prompt))}, nil)
	if err != nil {
		return nil, err
	}
	return []Row{{Tensor: "padding", Value: c.distance(c.logits, padded), N: len(padded), Limit: c.limit}}, nil
}

func (c *selfCheck) mates() ([]Row, error) {
	alone, err := c.run(model.Batch{Tokens: [][]int{c.mate}, Bucket: 1}, nil)
	if err != nil {
		return nil, err
	}
	both, err := c.runAll(model.Batch{Tokens: [][]int{c.mate, c.prompt}, Bucket: 1}, nil)
	if err != nil {
		return nil, err
	}
	worst := max(c.distance(alone, both[0]), c.distance(c.logits, both[1]))
	return []Row{{Tensor: "batch mates", Value: worst, N: len(both[0]) + len(both[1]), Limit: c.limit}}, nil
}

// times multiplies what queries give themselves, in one layer or in all (-1), by a factor. (Some families' norms would take a factor of all probabilities away.)
type times struct {
	layer  int
	factor float64
}

func (t times) Visit(l attention.Layer) *attention.Visit {
	if t.layer >= 0 && l.Index != t.layer {
		return nil
	}
	return &attention.Visit{Key: fmt.Sprintf("diagonal times %g", t.factor), Build: func(s *attention.Site) {
		p := s.Probs()
		own := BroadcastToDims(s.Diagonal(), p.Shape().Dimensions...)
		s.SetProbs(Where(own, MulScalar(p, t.factor), p))
	}}
}

func (c *selfCheck) changes() ([]Row, error) {
	alone := model.Batch{Tokens: [][]int{c.prompt}, Bucket: 1}
	same, err := c.run(alone, times{-1, 1})
	if err != nil {
		return nil, err
	}
	none := Row{Tensor: "change by one", Value: c.distance(c.logits, same), N: len(same), Limit: c.limit}
	least := Row{Value: math.Inf(1), Least: true, Limit: selfChange}
	for l := range c.model.Config.Layers {
		changed, err := c.run(alone, times{l, 0.5})
		if err != nil {
			return nil, err
		}
		if d := c.distance(c.logits, changed); !(d >= least.Value) {
			least.Tensor, least.Value = fmt.Sprintf("change, layer %d", l), d
		}
		least.N += len(changed)
	}
	return []Row{none, least}, nil
}

func (c *selfCheck) decode() ([]Row, error) {
	released, err := apply.New(emulate.Released())
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, way := range []struct {
		name string
		e    model.Experiment
	}{{"decode", nil}, {"decode, released", released}} {
		steps := min(selfDecoded, c.model.Config.MaxPositions-len(c.prompt))
		g, err := c.model.Generate([][]int{c.prompt}, model.GenerateOptions{MaxTokens: steps, IgnoreEOS: true}, way.e)
		if err != nil {
			return nil, err
		}
		sequence := append(append([]int{}, c.prompt...), g.Tokens[0]...)
		prefill := func(n int) ([]float32, error) {
			return c.run(model.Batch{Tokens: [][]int{sequence[:n]}, Bucket: 1}, way.e)
		}
		logits, err := prefill(len(sequence))
		if err != nil {
			return nil, err
		}
		r := Row{Tensor: way.name, Limit: c.limit}
		vocab := c.model.Config.VocabSize
		for i, id := range g.Tokens[0] {
			n := len(c.prompt) + i
			if c.model.DependsOnLength() { // each length turns all tokens by angles of its own
				if logits, err = prefill(n); err != nil {
					return nil, err
				}
			}
			row := logits[(n-1)*vocab:][:vocab]
			for _, x := range row {
				if below := float64(x-row[id]) / c.scale; !(below <= r.Value) {
					r.Value = below
				}
			}
			r.N++
		}
		rows = append(rows, r)
	}
	return rows, nil
}
