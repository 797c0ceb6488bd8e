package model

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Batch is a list of prompts, padded on the right to one length.
type Batch struct {
	Tokens [][]int // ids of each prompt; at least one token each
	// Bucket rounds the padded length up to a multiple, so that prompts of many lengths share a compiled graph. 0: 1 on the Go
	// backend, where a graph costs nothing, 64 on XLA.
	Bucket int
	// Pad is the id put behind short prompts; nothing real ever attends to it.
	Pad int
}

// Prompts makes a batch.
func Prompts(tokens ...[]int) Batch { return Batch{Tokens: tokens} }

// Targets asks for log-probabilities of chosen tokens: for each prompt a list of (position, token) pairs, the probability that the
// token follows the prompt's position.
type Targets [][]Target

// Target is one such pair.
type Target struct{ Position, Token int }

// Want says what a forward pass returns beside what the experiment emits.
type Want struct {
	Logits  bool    // all logits; batch * tokens * vocab floats on the host
	Targets Targets // log-probabilities at chosen places only
	// Ready is called when the pass's graphs are compiled, before it runs; may be nil. Passes may be made side by side: XLA compiles in the calling goroutine, and
	// whoever starts many of them keeps here those waiting that would not fit into the device's memory.
	Ready func()
}

// Result of a forward pass.
type Result struct {
	// Logits, float32 [batch, tokens, vocab], rows beyond a prompt's length meaningless.
	Logits *tensors.Tensor
	// LogProbs of the wanted targets, in their order.
	LogProbs [][]float64
	// Emitted by the experiment, by name.
	Emitted map[string]*tensors.Tensor
	// Plan says how each layer's attention was computed.
	Plan []string
}

// Forward runs prompts through the model with an experiment attached, nil for none.
func (m *Model) Forward(b Batch, want Want, exp Experiment) (*Result, error) {
	if !want.Logits && want.Targets == nil && exp == nil {
		return nil, fmt.Errorf("a forward pass with nothing to return: ask for logits or targets, or attach an experiment that emits something")
	}
	tokens, lengths, err := m.pad(b)
	if err != nil {
		return nil, err
	}
	inputs := []any{tokens, lengths}
	key := fmt.Sprintf("forward logits=%t targets=%t", want.Logits, want.Targets != nil)
	if want.Targets != nil {
		positions, ids, err := m.padTargets(b, want.Targets)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, positions, ids)
	}
	if exp != nil {
		key += " " + exp.Key()
	}
	var dims []shapes.Shape
	for _, input := range inputs {
		dims = append(dims, input.(*tensors.Tensor).Shape())
	}
	c, err := m.exec(fmt.Sprint(key, " ", dims), func(c *compiled, in []*Node) []*Node { return m.forwardGraph(c, in, want, exp) })
	if err != nil {
		return nil, err
	}
	if want.Ready != nil {
		if _, err := c.exec.Compile(dims...); err != nil {
			return nil, fmt.Errorf("forward pass of %d prompts: %w", len(b.Tokens), err)
		}
		want.Ready()
	}
	outputs, err := c.call(inputs...)
	if err != nil {
		return nil, fmt.Errorf("forward pass of %d prompts: %w", len(b.Tokens), err)
	}
	r := &Result{Plan: c.plan, Emitted: map[string]*tensors.Tensor{}}
	if want.Logits {
		r.Logits, outputs = outputs[0], outputs[1:]
	}
	if want.Targets != nil {
		flat := tensors.MustCopyFlatData[float32](outputs[0])
		width := outputs[0].Shape().Dimensions[1]
		r.LogProbs = make([][]float64, len(want.Targets))
		for i, ts := range want.Targets {
			r.LogProbs[i] = make([]float64, len(ts))
			for j := range ts {
				r.LogProbs[i][j] = float64(flat[i*width+j])
			}
		}
		outputs = outputs[1:]
	}
	for i, name := range c.names {
		r.Emitted[name] = outputs[i]
	}
	return r, nil
}

// forwardGraph: inputs tokens [batch, tokens], lengths [batch] and, for targets, positions and ids [batch, targets].
func (m *Model) forwardGraph(c *compiled, in []*Node, want Want, exp Experiment) []*Node {
	tokens, lengths := in[0], in[1]
	g := tokens.Graph()
	run := &Run{Graph: g, Config: m.Config, Phase: Prefill, Tokens: tokens, Lengths: lengths,
		QueryValid: LessThan(positionsUpTo(g, tokens.Shape().Dimensions[1]), InsertAxes(lengths, -1))}
	d := newDecoder(m.arch, m.params(g), run, prefillGeometry(run), exp)
	x, _ := d.prefill(tokens)
	var outputs []*Node
	if want.Logits {
		outputs = append(outputs, d.logits(x))
	}
	if want.Targets != nil {
		outputs = append(outputs, d.targetLogProbs(x, in[2], in[3]))
	}
	c.names, c.plan = run.names, d.plan
	return append(outputs, run.values...)
}

// targetLogProbs applies the output head at the wanted positions only, [batch, targets] -> float32 [batch, targets].
func (d *decoder) targetLogProbs(x, positions, ids *Node) *Node {
	batch, n := positions.Shape().Dimensions[0], positions.Shape().Dimensions[1]
	rows := Reshape(x, -1, d.config.HiddenSize)
	offset := MulScalar(Iota(x.Graph(), positions.Shape(), 0), x.Shape().Dimensions[1])
	at := Gather(rows, Reshape(Add(positions, offset), batch*n, 1))
	logProbs := LogSoftmax(d.logits(at), -1)
	pick := Concatenate([]*Node{Iota(x.Graph(), shapesOf(ids, batch*n, 1), 0), Reshape(ids, batch*n, 1)}, -1)
	return Reshape(Gather(logProbs, pick), batch, n)
}

// pad checks a batch against the model and lays it out.
func (m *Model) pad(b Batch) (tokens, lengths *tensors.Tensor, err error) {
	if len(b.Tokens) == 0 {
		return nil, nil, fmt.Errorf("the batch has no prompt")
	}
	longest := 0
	lens := make([]int32, len(b.Tokens))
	for i, p := range b.Tokens {
		if len(p) == 0 {
			return nil, nil, fmt.Errorf("prompt %d of the batch has no token", i)
		}
		if len(p) > m.Config.MaxPositions {
			return nil, nil, fmt.Errorf("prompt %d of the batch has %d tokens, more than the model's %d positions", i, len(p), m.Config.MaxPositions)
		}
		for k, id := range p {
			if id < 0 || id >= m.Config.VocabSize {
				return nil, nil, fmt.Errorf("prompt %d of the batch: token %d is id %d, outside the vocabulary of %d", i, k, id, m.Config.VocabSize)
			}
		}
		longest, lens[i] = max(longest, len(p)), int32(len(p))
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
	return tensors.FromFlatDataAndDimensions(flat, len(b.Tokens), width), tensors.FromFlatDataAndDimensions(lens, len(lens)), nil
}

func (m *Model) padTargets(b Batch, targets Targets) (positions, ids *tensors.Tensor, err error) {
	if len(targets) != len(b.Tokens) {
		return nil, nil, fmt.Errorf("%d lists of targets for %d prompts", len(targets), len(b.Tokens))
	}
	width := 1
	for _, ts := range targets {
		width = max(width, len(ts))
	}
	width = roundUp(width, 4)
	pos, tok := make([]int32, len(targets)*width), make([]int32, len(targets)*width)
	for i, ts := range targets {
		for j, t := range ts {
			if t.Position < 0 || t.Position >= len(b.Tokens[i]) || t.Token < 0 || t.Token >= m.Config.VocabSize {
				return nil, nil, fmt.Errorf("prompt %d: target %d asks for token %d after position %d of %d tokens (vocabulary %d)",
					i, j, t.Token, t.Position, len(b.Tokens[i]), m.Config.VocabSize)
			}
			pos[i*width+j], tok[i*width+j] = int32(t.Position), int32(t.Token)
		}
	}
	return tensors.FromFlatDataAndDimensions(pos, len(targets), width), tensors.FromFlatDataAndDimensions(tok, len(targets), width), nil
}
