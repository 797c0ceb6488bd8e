package model

import (
	"fmt"
	"slices"
)

// architecture describes a decoder: what a family's file makes of config.json, and what block.go runs. The zero value of a part means that
// the decoder has no such part.
type architecture struct {
	prefix      string     // what transformers puts before every name but the head's; files saved from the bare decoder lack it
	embed       string     // token embedding, [vocab, hidden]
	embedWidth  int        // width of the embedding and of the head's input where it is not the residual stream's; 0 = it is
	embedIn     dense      // from the embedding into the residual stream
	embedNorm   norm       // of the embedded tokens
	perLayer    perLayer   // inputs of every layer's own
	shared      sharedKeys // what later layers read of earlier ones
	positions   string     // learned position embedding, [max_positions + positionsAt, hidden]
	positionsAt int        // row of position 0
	wide        bool       // activations are float32 whatever the weights' type
	embedScale  float64    // factor of the token embeddings, in the model's type
	layers      string     // what transformers puts before a layer's number
	blocks      []block
	norm        norm    // before the head
	headIn      dense   // from the residual stream to the head
	head        string  // output head, [vocab, hidden], where it is not the embedding
	headBias    string  // [vocab]
	logitScale  float64 // factor of the logits; 0 = 1
	softcap     float64 // bound of the logits: cap * tanh(logits/cap)
	ignored     []string
}

// perLayer describes inputs that every layer has of its own: a piece of a second embedding of the tokens and of a projection of the first,
//
//	(norm(projection(x)/sqrt(hidden)) + sqrt(width)*embed(tokens)) / sqrt(2),  a piece of width for each layer
//
// which a layer adds to the residual stream behind its MLP: x += norm(out(act(gate(x)) * piece)). The stream carries the pieces behind its own entries, the next layer's
// first: a layer takes its piece and puts it last, so that all layers build one graph.
type perLayer struct {
	width      int    // of a piece; 0 = there are none
	embed      string // [vocab, layers*width]
	vocab      int
	projection dense
	norm       norm
}

// sharedKeys are slots of the stream for the keys and values of layers that later ones read in place of their own: the widths of both together, [kv_heads*head_dim]
// twice, of each slot. Slots lie behind the pieces. A later layer keeps such keys and values in its own cache, too.
type sharedKeys []int

// block is one layer: x += attnOut(attn(attnIn(x))); x += mlpOut(mlp(mlpIn(x))).
type block struct {
	attnIn, attnOut norm
	mlpIn, mlpOut   norm
	parallel        bool    // the MLP reads what the attention reads, and both are added to it
	oneNorm         bool    // the MLP beside the attention reads attnIn's output, too
	normSum         bool    // attnOut and mlpOut normalise the sums: x = attnOut(x + attn(x))
	residual        float64 // factor of what is added; 0 = 1
	attn            attention
	mlp             mlp
	pieceGate       dense // of the layer's own input
	pieceOut        dense
	pieceNorm       norm
	scalar          string // factor of the whole stream behind the layer, [1]
}

// norm is a normalisation over the last axis.
type norm struct {
	name  string // of the module; empty = none
	kind  normKind
	width int
	eps   float64
}

type normKind int

const (
	rms             normKind = iota // x / rms(x) * w
	rmsPlusOne                      // x / rms(x) * (1 + w)
	layerNorm                       // (x - mean) / std * w + b
	layerNormNoBias                 // (x - mean) / std * w
	rmsBare                         // x / rms(x)
	layerNormBare                   // (x - mean) / std
	layerNormHeads                  // layerNormNoBias of each head by itself with its own weights, [heads, head_dim]; width is that of all heads
	layerNormApart                  // the same, stored as name.norms.<head>.weight
)

// centres reports whether a norm takes the mean away, bare whether it has no weights, byHead whether each head has its own.
func (k normKind) centres() bool {
	return k == layerNorm || k == layerNormNoBias || k == layerNormBare || k.byHead()
}
func (k normKind) bare() bool   { return k == rmsBare || k == layerNormBare }
func (k normKind) byHead() bool { return k == layerNormHeads || k == layerNormApart }

// dense is a matrix product x·Wᵀ (+ b).
type dense struct {
	name       string // of the module; empty = none
	in, out    int
	bias       bool
	transposed bool // the checkpoint stores W as [in, out] instead of [out, in]
}

// attention describes a layer's attention.
type attention struct {
	query, key, value  dense
	fused              dense // the three in one product; by blocks [q | k | v], or
	interleaved        bool  // group by group: [kv head][its query heads, k, v][dim]
	out                dense
	queryNorm, keyNorm norm
	normWhole          bool // q and k are normalised over all heads at once, not head by head
	normRotated        bool // and behind the rotation, not in front of it
	valueNorm          norm
	valueIsKey         bool    // values are what keys are before their norm
	headDim            int     // where it is not the configuration's; 0 = it is
	kvHeads            int     // where they are fewer than the configuration's; 0 = they are not. Each is repeated for as many of those as share it
	keysTo, keysFrom   int     // keys and values go into this slot of the stream, or come from it (see sharedKeys); 0 = neither
	clip               float64 // bound of q, k and v; 0 = none
	rope               *rope
	scale              float64 // factor of the scores
	softcap            float64 // bound of the scores: cap * tanh(scores/cap)
	window             int     // a query sees this many keys, its own included; 0 = all
	sinks              string  // learned logit per head that takes part in the softmax and has no value
}

// keyHeads is how many key and value heads the layer's projections have.
func (a *attention) keyHeads(c *Config) int {
	if a.kvHeads > 0 {
		return a.kvHeads
	}
	return c.KVHeads
}

// mlp describes a layer's feed-forward part: down(act(gate(x)) * up(x)), or without a gate down(act(up(x))), or experts.
type mlp struct {
	gate, up, down dense
	gateUp         dense // gate and up in one product, blocks [gate | up]
	act            activation
	xielu          string // module of an activation with parameters of its own, in place of act
	experts        *experts
}

// weight is one tensor of the architecture: its Hugging Face name, its shape and how it starts in a new model.
type weight struct {
	name  string
	shape []int
	init  initKind
	// parts are the checkpoint's tensors that are stacked in it, [parts, ...]; nil = it is one of the checkpoint's own.
	parts []string
}

// part is one of the checkpoint's tensors of a weight.
type part struct {
	name  string
	shape []int
}

// stored lists the checkpoint's tensors of a weight, in the order of its bytes.
func (w weight) stored() []part {
	if w.parts == nil {
		return []part{{w.name, w.shape}}
	}
	var all []part
	for _, name := range w.parts {
		all = append(all, part{name, w.shape[1:]})
	}
	return all
}

type initKind int

const (
	initNormal   initKind = iota // normal with Config.InitializerRange
	initResidual                 // the same over sqrt(2 * layers): projections that write into the residual stream (GPT-2, section 2.3)
	initOnes                     // norms
	initZeros                    // biases
)

// weights lists every tensor that the architecture reads, in the order of the file that Save writes.
func (a *architecture) weights(c *Config) []weight {
	var ws []weight
	add := func(name string, init initKind, shape ...int) {
		ws = append(ws, weight{name: name, shape: shape, init: init})
	}
	addNorm := func(n norm) {
		switch {
		case n.name == "" || n.kind.bare():
		case n.kind == rmsPlusOne:
			add(n.name+".weight", initZeros, n.width)
		case n.kind.byHead():
			w := weight{name: n.name + ".weight", shape: []int{n.width / c.HeadDim, c.HeadDim}, init: initOnes}
			for h := range w.shape[0] {
				if n.kind == layerNormApart {
					w.parts = append(w.parts, fmt.Sprintf("%s.norms.%d.weight", n.name, h))
				}
			}
			ws = append(ws, w)
		default:
			add(n.name+".weight", initOnes, n.width)
			if n.kind == layerNorm {
				add(n.name+".bias", initZeros, n.width)
			}
		}
	}
	addDense := func(d dense, init initKind) {
		switch {
		case d.name == "":
			return
		case d.transposed:
			add(d.name+".weight", init, d.in, d.out)
		default:
			add(d.name+".weight", init, d.out, d.in)
		}
		if d.bias {
			add(d.name+".bias", initZeros, d.out)
		}
	}
	width := c.HiddenSize
	if a.embedWidth > 0 {
		width = a.embedWidth
	}
	add(a.embed, initNormal, c.VocabSize, width)
	addDense(a.embedIn, initNormal)
	addNorm(a.embedNorm)
	if p := a.perLayer; p.width > 0 {
		add(p.embed, initNormal, p.vocab, c.Layers*p.width)
		addDense(p.projection, initNormal)
		addNorm(p.norm)
	}
	if a.positions != "" {
		add(a.positions, initNormal, c.MaxPositions+a.positionsAt, c.HiddenSize)
	}
	for i := range a.blocks {
		b := &a.blocks[i]
		addNorm(b.attnIn)
		for _, d := range []dense{b.attn.query, b.attn.key, b.attn.value, b.attn.fused} {
			addDense(d, initNormal)
		}
		addNorm(b.attn.queryNorm)
		addNorm(b.attn.keyNorm)
		addNorm(b.attn.valueNorm)
		if b.attn.sinks != "" {
			add(b.attn.sinks, initNormal, c.Heads)
		}
		addDense(b.attn.out, initResidual)
		addNorm(b.attnOut)
		addNorm(b.mlpIn)
		for _, d := range []dense{b.mlp.gate, b.mlp.up, b.mlp.gateUp} {
			addDense(d, initNormal)
		}
		if b.mlp.xielu != "" {
			add(b.mlp.xielu+".alpha_p", initZeros, 1)
			add(b.mlp.xielu+".alpha_n", initZeros, 1)
		}
		addDense(b.mlp.down, initResidual)
		if e := b.mlp.experts; e != nil {
			ws = append(ws, e.weights()...)
			for _, d := range []dense{e.shared.gate, e.shared.up, e.sharedGate} {
				addDense(d, initNormal)
			}
			addDense(e.shared.down, initResidual)
		}
		addNorm(b.mlpOut)
		addDense(b.pieceGate, initNormal)
		addDense(b.pieceOut, initResidual)
		addNorm(b.pieceNorm)
		if b.scalar != "" {
			add(b.scalar, initOnes, 1)
		}
	}
	addNorm(a.norm)
	addDense(a.headIn, initNormal)
	if !c.TieEmbeddings {
		add(a.head, initNormal, c.VocabSize, width)
	}
	if a.headBias != "" {
		add(a.headBias, initZeros, c.VocabSize)
	}
	return ws
}

// lengthDependent returns a rotary embedding that depends on the sequence's length, nil if there is none: past its trained length the keys of
// earlier tokens change.
func (a *architecture) lengthDependent() *rope {
	for i := range a.blocks {
		if r := a.blocks[i].attn.rope; r != nil && r.trained > 0 {
			return r
		}
	}
	return nil
}

// DependsOnLength reports whether a rotary embedding depends on the sequence's length, so that a longer prompt changes what its first tokens give.
func (m *Model) DependsOnLength() bool { return m.arch.lengthDependent() != nil }

// longest is how many tokens a sequence may have: a dynamic rotary embedding fits itself to any number.
func (m *Model) longest() int {
	if r := m.arch.lengthDependent(); r != nil && r.long == nil {
		return maxConfigValue
	}
	return m.Config.MaxPositions
}

// addLayers fills the blocks, one call per layer with the start of its tensors' names.
func (a *architecture) addLayers(c *Config, block func(l int, p string) block) {
	a.blocks = slices.Grow(a.blocks, c.Layers)
	for l := range c.Layers {
		a.blocks = append(a.blocks, block(l, a.layerName(l)))
	}
}

// layerName starts the name of every tensor of a layer.
func (a *architecture) layerName(l int) string { return fmt.Sprintf("%s%d.", a.layers, l) }

// each calls change with every block and the start of its tensors' names.
func (a *architecture) each(change func(b *block, p string)) {
	for l := range a.blocks {
		change(&a.blocks[l], a.layerName(l))
	}
}
