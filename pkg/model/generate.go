package model

import (
	"encoding/json"
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
)

// GenerateOptions of Generate. The zero value continues greedily by 64 tokens or to the model's end-of-sequence token.
type GenerateOptions struct {
	MaxTokens int      // new tokens per prompt at most; 0 = 64
	Sampling  Sampling // zero value: greedy
	IgnoreEOS bool     // continue past end-of-sequence tokens
	// Stop lists texts that end a sequence, wherever the borders of its tokens fall. They are looked for between the calls of the compiled loop.
	Stop []string
	// Stream is told each sequence's text, by its number in the batch, as soon as it is sure: whole characters, and nothing that a stop string may
	// still cut off. A call of the compiled loop gives its tokens together. May be nil.
	Stream func(sequence int, text string)
	// SampleIDs number the random streams of the sequences; nil = their places in the batch. With a number of its own an item is sampled alike alone and in
	// any batch.
	SampleIDs []uint64
	Chunk     int // tokens per call of the compiled loop; 0 = 16 on the Go backend, 64 on XLA
	// Room is for how many new tokens XLA's caches are made, where that is more than MaxTokens: calls of one room share their graphs, and every step reads all of it.
	Room int
	// Extents of the prompts, for interventions that tell prompts from what is generated, or read a highlighted span; nil = all of a prompt is prompt.
	Extents []Extent
}

// Generation is what Generate returns.
type Generation struct {
	// Tokens are the new ones of each prompt, without the end-of-sequence token, and with the one that completed a stop string.
	Tokens [][]int
	// Texts are the tokens decoded, without the stop string and what follows it; nil where the model has no tokenizer.
	Texts []string
	// Plan says how attention was computed: the prefill's layers, then the decode step's.
	Plan []string
	// Compilations counts the graphs that had to be built: none where an earlier call had the same options and shapes.
	Compilations int
	// Slots is the length of each sequence's cache at the end, all of which a step on XLA reads.
	Slots int
}

// Generate continues each prompt. The experiment, nil for none, acts in prefill and in every decoding step.
//
// The token loop itself is compiled: one call runs Chunk steps, each the whole model on one new token per prompt, with the cache
// of keys and values staying on the device. Where the rotary embedding of the whole sequence depends on its length (dynamic, longrope) and the sequence
// may pass the trained length on the way, no cached key stays valid, and every token is a prefill of the sequence so far. So it is where layers are placed on
// several devices, whatever the model.
func (m *Model) Generate(prompts [][]int, opts GenerateOptions, exp Experiment) (*Generation, error) {
	if opts.MaxTokens == 0 {
		opts.MaxTokens = 64
	}
	if err := opts.Sampling.validate(m.Config.VocabSize); err != nil {
		return nil, err
	}
	if opts.MaxTokens < 0 {
		return nil, fmt.Errorf("MaxTokens is %d, expected 1 or more", opts.MaxTokens)
	}
	if opts.Room < 0 {
		return nil, fmt.Errorf("Room is %d, expected how many new tokens caches are made for, or 0 for MaxTokens", opts.Room)
	}
	if opts.SampleIDs != nil && len(opts.SampleIDs) != len(prompts) {
		return nil, fmt.Errorf("%d random streams for %d prompts", len(opts.SampleIDs), len(prompts))
	}
	if opts.Extents != nil && len(opts.Extents) != len(prompts) {
		return nil, fmt.Errorf("%d extents for %d prompts", len(opts.Extents), len(prompts))
	}
	for i, p := range prompts {
		if len(p)+opts.MaxTokens > m.longest() {
			return nil, fmt.Errorf("prompt %d has %d tokens; with %d new ones it passes the model's %d positions", i, len(p), opts.MaxTokens, m.Config.MaxPositions)
		}
	}
	built := m.Compilations()
	l, err := m.startLoop(prompts, opts, exp)
	if err != nil {
		return nil, err
	}
	defer l.free()
	next := l.advance
	if m.placed != nil || m.needsRecompute(prompts, opts) {
		next = l.recompute
	}
	for l.produced < opts.MaxTokens && !l.allDone() {
		if err := next(); err != nil {
			return nil, err
		}
	}
	g := &Generation{Tokens: make([][]int, len(prompts)), Plan: l.plan}
	if l.slots != nil {
		g.Slots = l.slots.shape().Dimensions[1]
	}
	for i := range prompts {
		g.Tokens[i] = l.tokensOf(i)
	}
	for i := range prompts {
		switch {
		case l.writers != nil:
			l.writers[i].end()
			g.Texts = append(g.Texts, l.writers[i].text)
		case m.Tokenizer != nil:
			g.Texts = append(g.Texts, m.Tokenizer.Decode(g.Tokens[i]))
		}
	}
	g.Compilations = m.Compilations() - built
	return g, nil
}

func (m *Model) chunk(opts GenerateOptions) int {
	n := opts.Chunk
	if n <= 0 {
		n = 16
		if backend.IsXLA(m.Backend) {
			n = 64
		}
	}
	return min(n, max(opts.MaxTokens, 1))
}

// generateKey identifies the graphs of a way to generate.
func (m *Model) generateKey(stage string, opts GenerateOptions, visits []*attn.Visit) string {
	s := opts.Sampling
	s.Seed = 0 // random numbers are an input
	b, _ := json.Marshal(s)
	key := fmt.Sprintf("%s %s chunk=%d room=%d ignore_eos=%t", stage, b, m.chunk(opts), m.capacity(opts), opts.IgnoreEOS)
	return key + wholeKey(visits)
}

// eos lists the ids that end a sequence under the options.
func (m *Model) eos(opts GenerateOptions) []int {
	if opts.IgnoreEOS {
		return nil
	}
	return m.Config.EOS
}

// firstStep builds the prefill of generation: tokens [batch, tokens], extents [batch, 4], uniform [batch] -> the first new token [batch], slots
// [batch, tokens, 2] as in loop, then keys and values of every layer.
func (m *Model) firstStep(c *compiled, in []*Node, opts GenerateOptions, visits []*attn.Visit) []*Node {
	tokens, extents, uniform := in[0], in[1], in[2]
	lengths, _, _ := splitExtents(extents)
	g := tokens.Graph()
	pos := positionsUpTo(g, tokens.Shape().Dimensions[1])
	valid := LessThan(pos, InsertAxes(lengths, -1))
	d := m.newDecoder(m.params(g), attn.Prefill, prefillGeometry(tokens, extents), visits)
	x, caches := d.prefill(tokens)
	last := lastHidden(x, lengths)
	next := opts.Sampling.next(d.logits(last), uniform)
	slots := Where(valid, BroadcastToDims(pos, valid.Shape().Dimensions...), Neg(OnesLike(tokens)))
	outputs := []*Node{next, Stack([]*Node{slots, tokens}, -1)}
	c.caches = len(outputs)
	for _, kv := range caches {
		outputs = append(outputs, kv.keys[0], kv.values[0])
	}
	c.plan = planOf(d.plan)
	return outputs
}

// lastHidden picks each prompt's last real token: [batch, tokens, hidden] -> [batch, hidden].
func lastHidden(x, lengths *Node) *Node {
	index := Concatenate([]*Node{
		Iota(x.Graph(), shapesOf(lengths, lengths.Shape().Dimensions[0], 1), 0),
		InsertAxes(AddScalar(lengths, -1), -1),
	}, -1)
	return Gather(x, index)
}

// isEOS marks tokens that end a sequence: int32 [batch] -> bool [batch].
func isEOS(token *Node, eos []int) *Node {
	end := NotEqual(token, token) // all false
	for _, id := range eos {
		end = LogicalOr(end, Equal(token, Scalar(token.Graph(), token.DType(), id)))
	}
	return end
}

func intRows(t *tensors.Tensor) [][]int32 {
	flat := tensors.MustCopyFlatData[int32](t)
	width := t.Shape().Dimensions[t.Rank()-1]
	return slices.Collect(slices.Chunk(flat, width))
}
