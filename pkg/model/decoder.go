package model

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/attention"

	"github.com/attune-lab/attune/pkg/backend"
)

// decoder builds the transformer inside one graph (or inside the body of a loop of it).
type decoder struct {
	config *Config
	params map[string]*Node // weights by checkpoint name
	run    *Run
	visit  func(*Site)
	plan   []string
}

// newDecoder attaches the experiment (nil for none) to a run.
func newDecoder(params map[string]*Node, run *Run, exp Experiment) *decoder {
	d := &decoder{config: run.Config, params: params, run: run}
	if exp != nil {
		d.visit = exp.Attach(run)
	}
	return d
}

// past is what a layer attends to beyond the new tokens: cached key and value segments, [batch, kv_heads, keys, head_dim].
type past struct{ keys, values []*Node }

// geometry says where queries and keys are: see the fields of Site.
type geometry struct {
	queryPos, keyPos, mask *Node
}

// prefillGeometry is the causal square. Batches are padded on the right, so no real query can see padding.
func prefillGeometry(g *Graph, tokens int) geometry {
	pos := positionsUpTo(g, tokens)
	return geometry{pos, pos, GreaterOrEqual(InsertAxes(pos, 1, -1), InsertAxes(pos, 1, 1))}
}

// decodeGeometry lets one query per sequence see every filled slot up to its own position.
func decodeGeometry(queryPos, keyPos *Node) geometry {
	k := InsertAxes(keyPos, 1, 1)
	mask := LogicalAnd(GreaterOrEqual(k, ScalarZero(k.Graph(), k.DType())), LessOrEqual(k, InsertAxes(queryPos, 1, -1)))
	return geometry{queryPos, keyPos, mask}
}

// embed looks tokens up: int32 [batch, tokens] -> [batch, tokens, hidden].
func (d *decoder) embed(tokens *Node) *Node {
	return Gather(d.params[embedName], InsertAxes(tokens, -1))
}

// layer is one decoder block. extend receives the block's new keys and values, [batch, kv_heads, queries, head_dim], and returns all
// that the queries attend to.
func (d *decoder) layer(l int, x *Node, geo geometry, rope rotary, extend func(k, v *Node) past) *Node {
	c, p := d.config, layerPrefix(l)
	w := func(name string) *Node { return d.params[p+name] } // nil for an absent bias

	h := rmsNorm(x, w("input_layernorm.weight"), c.NormEps)
	q := rope.apply(splitHeads(linear(h, w("self_attn.q_proj.weight"), w("self_attn.q_proj.bias")), c.Heads))
	k := rope.apply(splitHeads(linear(h, w("self_attn.k_proj.weight"), w("self_attn.k_proj.bias")), c.KVHeads))
	v := splitHeads(linear(h, w("self_attn.v_proj.weight"), w("self_attn.v_proj.bias")), c.KVHeads)
	kv := extend(k, v)

	site := &Site{Layer: l, Layers: c.Layers, Phase: d.run.Phase, Query: q, Keys: kv.keys, Values: kv.values,
		Scale: attentionScale(c.HeadDim), Mask: geo.mask, QueryPos: geo.queryPos, KeyPos: geo.keyPos, run: d.run}
	if d.visit != nil {
		d.visit(site)
	}
	attn, path := site.output()
	d.plan = append(d.plan, planLine(l, path))
	x = Add(x, linear(mergeHeads(attn), w("self_attn.o_proj.weight"), w("self_attn.o_proj.bias")))

	h = rmsNorm(x, w("post_attention_layernorm.weight"), c.NormEps)
	gate := silu(linear(h, w("mlp.gate_proj.weight"), w("mlp.gate_proj.bias")))
	up := linear(h, w("mlp.up_proj.weight"), w("mlp.up_proj.bias"))
	return Add(x, linear(Mul(gate, up), w("mlp.down_proj.weight"), w("mlp.down_proj.bias")))
}

// prefill runs all layers over whole prompts and returns the last hidden states [batch, tokens, hidden] and each layer's new keys and values.
func (d *decoder) prefill(tokens *Node) (x *Node, caches []past) {
	g, n := tokens.Graph(), tokens.Shape().Dimensions[1]
	geo := prefillGeometry(g, n)
	rope := newRotary(geo.queryPos, d.config.HeadDim, d.config.RopeTheta)
	x = d.embed(tokens)
	for l := range d.config.Layers {
		x = d.layer(l, x, geo, rope, func(k, v *Node) past {
			kv := past{[]*Node{k}, []*Node{v}}
			caches = append(caches, kv)
			return kv
		})
	}
	return x, caches
}

// logits applies the final norm and the output head: [..., hidden] -> float32 [..., vocab].
func (d *decoder) logits(x *Node) *Node {
	x = rmsNorm(x, d.params[normName], d.config.NormEps)
	head := d.params[headName]
	if head == nil {
		head = d.params[embedName]
	}
	return ConvertDType(linear(x, head, nil), dtypes.Float32)
}

// fusable reports whether the backend's fused kernel computes exactly this layer: causal prefill in half precision on XLA, head
// dimension a multiple of 8.
func (s *Site) fusable() bool {
	half := s.Query.DType() == dtypes.BFloat16 || s.Query.DType() == dtypes.Float16
	return s.Phase == Prefill && len(s.Keys) == 1 && half && s.Query.Shape().Dimensions[3]%8 == 0 &&
		backend.IsXLA(s.run.Graph.Backend())
}

// fused lets GoMLX choose the backend's kernel (cuDNN's flash attention on CUDA), with its gradient.
func (s *Site) fused() *Node {
	out, _ := attention.Core(s.Query, s.Keys[0], s.Values[0], compute.AttentionAxesLayoutBHSD, attention.CoreOptions{Scale: s.Scale, UseCausalMask: true})
	return out
}
