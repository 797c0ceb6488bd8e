package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
)

// Batch is a list of prompts, padded on the right to one length.
type Batch struct {
	Tokens [][]int // ids of each prompt; at least one token each
	// Bucket rounds the padded length up to a multiple, so that prompts of many lengths share a compiled graph. 0: 1 on the Go
	// backend, where a graph costs nothing, 64 on XLA.
	Bucket int
	// Pad is the id put behind short prompts; nothing real ever attends to it.
	Pad int
	// Extents tell a sequence's prompt from what stands behind it; nil = every sequence is a prompt, and nothing is highlighted.
	Extents []Extent
	// Trees say what each row of Tokens holds in place of one sequence, where Model.Trees allows it; nil = one sequence. Targets' positions, and what is emitted, go by
	// the tokens' places in the row.
	Trees []Tree
	// Packed is on how many tokens all but attention is computed: on those of all rows of trees one behind the other, padded to so many, in place of padded rows; 0 = on
	// the rows. The order of sums in a product of matrices may change with the number of its rows: with as many tokens, a sequence's result does not depend on the others'.
	Packed int
}

// Extent says what of a sequence is what, for interventions that treat prompts and what is generated differently. The zero value is a prompt without a highlight.
type Extent struct {
	// Prompt is how many tokens belong to the prompt: those behind were generated, or are a choice that is scored; 0 = all belong to it.
	Prompt int
	// Span is the highlighted part of the prompt, its first token and one past its last; equal = none.
	Span [2]int
}

// row is what graphs read of a sequence of so many tokens, whose number stands first.
func (e Extent) row(tokens int) [4]int32 {
	prompt := e.Prompt
	if prompt == 0 {
		prompt = tokens
	}
	return [4]int32{int32(tokens), int32(prompt), int32(e.Span[0]), int32(e.Span[1])}
}

// check reports an extent that a sequence of so many tokens cannot have.
func (e Extent) check(tokens int) error {
	if e.Prompt < 0 || e.Prompt > tokens || e.Span[0] < 0 || e.Span[1] < e.Span[0] || e.Span[1] > tokens {
		return fmt.Errorf("%d tokens, a prompt of %d and a highlighted span of %v: expected both within the tokens", tokens, e.Prompt, e.Span)
	}
	return nil
}

// Prompts makes a batch.
func Prompts(tokens ...[]int) Batch { return Batch{Tokens: tokens} }

// Targets asks for log-probabilities of chosen tokens: for each prompt a list of (position, token) pairs, the probability that the
// token follows the prompt's position.
type Targets [][]Target

// Target is one such pair.
type Target struct{ Position, Token int }

// Outputs says what a forward pass returns beside what the experiment emits.
type Outputs struct {
	Logits  bool    // all logits; batch * tokens * vocab floats on the host
	Targets Targets // log-probabilities at chosen places only
	// Ready is called when the pass's graphs are compiled, before it runs; may be nil. Passes may be made side by side: XLA compiles in the calling goroutine, and
	// whoever starts many of them keeps here those waiting that would not fit into the device's memory.
	Ready func()
	// Receive is given every observation in place of Result.Emitted, as soon as its layers have run: while the pass goes on, and from several goroutines at once. nil =
	// observations are copied to the host and kept.
	Receive func(Observation) error
	// Whole makes the pass one graph in place of several that share their layers, see pass.go: longer to compile, quicker to call.
	Whole bool
}

// Result of a forward pass.
type Result struct {
	// Logits, float32 [batch, tokens, vocab], rows beyond a prompt's length meaningless.
	Logits *tensors.Tensor
	// LogProbs of the wanted targets, in their order.
	LogProbs [][]float64
	// Emitted by the experiment.
	Emitted Emitted
	// Plan says how each layer's attention was computed.
	Plan []string

	next []int32 // of each sequence
}

// Emitted are the observations of a pass by name, and for each name by layer; nil at layers that emitted none of the name.
type Emitted map[string][]*tensors.Tensor

// Free gives the observations' memory back before the garbage collector would.
func (e Emitted) Free() {
	for _, layers := range e {
		for _, t := range layers {
			if t != nil {
				t.FinalizeAll()
			}
		}
	}
}

// add puts a layer's observation in.
func (e Emitted) add(name string, layer, layers int, t *tensors.Tensor) {
	if e[name] == nil {
		e[name] = make([]*tensors.Tensor, layers)
	}
	e[name][layer] = t
}

// Forward runs prompts through the model with an experiment attached, nil for none.
func (m *Model) Forward(b Batch, want Outputs, exp Experiment) (*Result, error) {
	if !want.Logits && want.Targets == nil && exp == nil {
		return nil, fmt.Errorf("a forward pass with nothing to return: ask for logits or targets, or attach an experiment that emits something")
	}
	p := &pass{model: m, want: want}
	var err error
	if p.visits, err = m.visits(exp, attn.Prefill); err != nil {
		return nil, err
	}
	tokens, extents, err := m.pad(b)
	if err != nil {
		return nil, err
	}
	if err := m.checkTrees(b, want, p.visits); err != nil {
		return nil, err
	}
	if p.batch, err = m.allOnDevices(append([]*tensors.Tensor{tokens, extents}, b.treeLayout(tokens.Shape().Dimensions[1])...)...); err != nil {
		return nil, err
	}
	var targets [][]*tensors.Tensor
	if want.Targets != nil {
		if err := m.checkTargets(b, want.Targets); err != nil {
			return nil, err
		}
		p.want.Targets = b.inStream(want.Targets)
		targets = m.padTargets(b, p.want.Targets)
	}
	for _, call := range targets {
		values, err := m.allOnDevices(call...)
		if err != nil {
			return nil, err
		}
		p.targets = append(p.targets, values)
	}
	run := p.layered
	if want.Whole {
		run = p.whole
	}
	defer backend.EndVectors()
	r, err := run()
	if err != nil {
		return nil, fmt.Errorf("forward pass of %d prompts: %w", len(b.Tokens), err)
	}
	if b.Packed > 0 && want.Targets != nil {
		r.LogProbs = ofRows(r.LogProbs[0], want.Targets)
	}
	return r, nil
}

// whole runs the pass as one graph.
func (p *pass) whole() (*Result, error) {
	m := p.model
	inputs := slices.Concat(p.batch, slices.Concat(p.targets...))
	var dims []shapes.Shape
	for _, input := range inputs {
		dims = append(dims, input.shape())
	}
	key := fmt.Sprintf("forward %v logits=%t targets=%t", dims, p.want.Logits, p.want.Targets != nil) + wholeKey(p.visits)
	c, err := m.exec(key, func(c *compiled, in []*Node) []*Node { return m.forwardGraph(c, in, p) })
	if err != nil {
		return nil, err
	}
	if p.want.Ready != nil {
		if err := c.compile(inputs...); err != nil {
			return nil, err
		}
		p.want.Ready()
	}
	outputs, err := c.call(inputs...)
	if err != nil {
		return nil, err
	}
	r := &Result{Plan: c.plan, Emitted: Emitted{}}
	outputs = r.head(p.want, outputs)
	if p.want.Receive != nil {
		copied := copies{backend: m.Backend, receive: p.want.Receive}
		defer copied.end()
		for i, e := range c.emitted {
			copied.hand(outputs[i], emits{names: []string{e.Name}, layers: []int{e.Layer}}, 0)
		}
		return r, copied.give(nil, 0)
	}
	for i, e := range c.emitted {
		r.Emitted.add(e.Name, e.Layer, m.Config.Layers, outputs[i].first())
	}
	return r, nil
}

// head takes what the output head gave from a pass's outputs, and returns the others.
func (r *Result) head(want Outputs, outputs []*value) []*value {
	if want.Logits {
		r.Logits, outputs = outputs[0].first(), outputs[1:]
	}
	if want.Targets != nil {
		t := outputs[0].first()
		flat := tensors.MustCopyFlatData[float32](t)
		width := t.Shape().Dimensions[1]
		if r.LogProbs == nil {
			r.LogProbs = make([][]float64, len(want.Targets))
		}
		for i, ts := range want.Targets {
			for j := range min(width, len(ts)-len(r.LogProbs[i])) {
				r.LogProbs[i] = append(r.LogProbs[i], float64(flat[i*width+j]))
			}
		}
		outputs = outputs[1:]
	}
	return outputs
}

// forwardGraph: inputs tokens [batch, tokens], extents [batch, 4] and, for targets, positions and ids [batch, targets].
func (m *Model) forwardGraph(c *compiled, in []*Node, p *pass) []*Node {
	tokens, extents := in[0], in[1]
	d := m.newDecoder(m.params(tokens.Graph()), attn.Prefill, prefillGeometry(tokens, extents), p.visits)
	x, _ := d.prefill(tokens)
	outputs := d.heads(p.want, x, in[2:])
	c.plan, c.emitted = planOf(d.plan), d.carry.Emitted
	for i := range c.emitted {
		outputs = append(outputs, c.emitted[i].Value)
		c.emitted[i].Value = nil
	}
	return outputs
}

// heads applies the output head as wanted; targets are positions and ids.
func (d *decoder) heads(want Outputs, x *Node, targets []*Node) (outputs []*Node) {
	if want.Logits {
		outputs = append(outputs, d.logits(x))
	}
	if want.Targets != nil {
		outputs = append(outputs, d.targetLogProbs(x, targets[0], targets[1]))
	}
	return outputs
}

// targetLogProbs applies the output head at the wanted positions only, [batch, targets] -> float32 [batch, targets].
func (d *decoder) targetLogProbs(x, positions, ids *Node) *Node {
	batch, n := positions.Shape().Dimensions[0], positions.Shape().Dimensions[1]
	rows := Reshape(d.hidden(x), -1, d.config.HiddenSize)
	offset := MulScalar(Iota(x.Graph(), positions.Shape(), 0), x.Shape().Dimensions[1])
	at := Gather(rows, Reshape(Add(positions, offset), batch*n, 1))
	logits := d.logits(at)
	pick := Concatenate([]*Node{Iota(x.Graph(), shapesOf(ids, batch*n, 1), 0), Reshape(ids, batch*n, 1)}, -1)
	top := ReduceAndKeep(logits, ReduceMax, -1)
	whole := Log(sumInParts(Exp(Sub(logits, top))))
	return Reshape(Sub(Sub(Gather(logits, pick), Squeeze(top, -1)), whole), batch, n)
}

// sumInParts sums the last axis of [rows, width] in about as many parts as each has entries. The Go backend adds one float32 after the other: of the 49,152 exponentials of a
// vocabulary the small ones vanish beside their sum so far, and a log-likelihood of 30 tokens was off by 5e-3.
//
// Over several devices, which have a piece of the vocabulary each, XLA sums: in parts of another size the pieces would have to be brought together.
func sumInParts(x *Node) *Node {
	if x.Graph().DistributedStrategy() != distributed.None {
		return ReduceSum(x, -1)
	}
	rows, width := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	part := int(math.Ceil(math.Sqrt(float64(width))))
	parts := (width + part - 1) / part
	x = growAxis(x, 1, parts*part, 0)
	return ReduceSum(ReduceSum(Reshape(x, rows, parts, part), -1), -1)
}

// pad checks a batch against the model and lays it out: tokens int32 [batch, tokens], extents int32 [batch, 4].
func (m *Model) pad(b Batch) (tokens, extents *tensors.Tensor, err error) {
	if len(b.Tokens) == 0 {
		return nil, nil, fmt.Errorf("the batch has no prompt")
	}
	if b.Extents != nil && len(b.Extents) != len(b.Tokens) {
		return nil, nil, fmt.Errorf("%d extents for %d prompts", len(b.Extents), len(b.Tokens))
	}
	longest := 0
	var rows []int32
	for i, p := range b.Tokens {
		if len(p) == 0 {
			return nil, nil, fmt.Errorf("prompt %d of the batch has no token", i)
		}
		if b.Trees == nil && len(p) > m.longest() {
			return nil, nil, fmt.Errorf("prompt %d of the batch has %d tokens, more than the model's %d positions", i, len(p), m.Config.MaxPositions)
		}
		for k, id := range p {
			if id < 0 || id >= m.Config.VocabSize {
				return nil, nil, fmt.Errorf("prompt %d of the batch: token %d is id %d, outside the vocabulary of %d", i, k, id, m.Config.VocabSize)
			}
		}
		var e Extent
		if b.Extents != nil {
			e = b.Extents[i]
		}
		if err := e.check(len(p)); err != nil {
			return nil, nil, fmt.Errorf("prompt %d of the batch: %w", i, err)
		}
		row := e.row(len(p))
		longest, rows = max(longest, len(p)), append(rows, row[:]...)
	}
	width := roundUp(longest, m.bucket(b.Bucket))
	flat := make([]int32, len(b.Tokens)*width)
	for i, p := range b.Tokens {
		for k := range width {
			id := b.Pad
			if k < len(p) {
				id = p[k]
			}
			flat[i*width+k] = int32(id)
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, len(b.Tokens), width), tensors.FromFlatDataAndDimensions(rows, len(b.Tokens), 4), nil
}

// headTargets is how many targets of trees the output head takes at a time on XLA: there they are too many to fill them up to the next shape, as those of single
// sequences are, and with the shape of a product the order of its sums may change. It is a multiple of the rows that XLA's products on processors take at a time.
const headTargets = 96

// checkTargets reports targets that are not of the batch.
func (m *Model) checkTargets(b Batch, targets Targets) error {
	if len(targets) != len(b.Tokens) {
		return fmt.Errorf("%d lists of targets for %d prompts", len(targets), len(b.Tokens))
	}
	for i, ts := range targets {
		for j, t := range ts {
			if t.Position < 0 || t.Position >= len(b.Tokens[i]) || t.Token < 0 || t.Token >= m.Config.VocabSize {
				return fmt.Errorf("prompt %d: target %d asks for token %d after position %d of %d tokens (vocabulary %d)",
					i, j, t.Token, t.Position, len(b.Tokens[i]), m.Config.VocabSize)
			}
		}
	}
	return nil
}

// padTargets lays targets out for one call of the head or, of trees on XLA, several: positions and ids of each, int32 [batch, targets].
func (m *Model) padTargets(b Batch, targets Targets) [][]*tensors.Tensor {
	width := 1
	for _, ts := range targets {
		width = max(width, len(ts))
	}
	width = roundUp(width, 4)
	if b.Trees != nil && backend.IsXLA(m.Backend) {
		width = max(1, headTargets/len(targets))
	}
	var calls [][]*tensors.Tensor
	for from := 0; from == 0 || slices.ContainsFunc(targets, func(ts []Target) bool { return len(ts) > from }); from += width {
		pos, tok := make([]int32, len(targets)*width), make([]int32, len(targets)*width)
		for i, ts := range targets {
			for j := from; j < min(len(ts), from+width); j++ {
				pos[i*width+j-from], tok[i*width+j-from] = int32(ts[j].Position), int32(ts[j].Token)
			}
		}
		calls = append(calls, []*tensors.Tensor{tensors.FromFlatDataAndDimensions(pos, len(targets), width), tensors.FromFlatDataAndDimensions(tok, len(targets), width)})
	}
	return calls
}
