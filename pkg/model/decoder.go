package model

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// decoder builds the transformer inside one graph (or inside the body of a loop of it).
type decoder struct {
	config *Config
	arch   *architecture
	params map[string]*Node // weights by checkpoint name
	run    *Run
	visit  func(*Site)
	plan   []string

	geo      geometry
	masks    map[int]*Node // by window
	rotaries map[*rope]rotary
	bias     *Node // see packedBias

	pass PassOptions
}

// newDecoder attaches the experiment (nil for none) to a run.
func newDecoder(arch *architecture, params map[string]*Node, run *Run, geo geometry, exp Experiment) *decoder {
	d := &decoder{config: run.Config, arch: arch, params: params, run: run, geo: geo, masks: map[int]*Node{}, rotaries: map[*rope]rotary{}}
	if exp != nil {
		d.visit = exp.Attach(run)
	}
	return d
}

// past is what a layer attends to beyond the new tokens: cached key and value segments, [batch, kv_heads, keys, head_dim].
type past struct{ keys, values []*Node }

// embed looks tokens up: int32 [batch, tokens] -> [batch, tokens, hidden].
func (d *decoder) embed(tokens *Node) *Node {
	x := Gather(d.params[d.arch.embed], InsertAxes(tokens, -1))
	if d.arch.wide && !d.run.training {
		x = ConvertDType(x, dtypes.Float32)
	}
	if d.arch.embedScale != 0 {
		x = MulScalar(x, d.arch.embedScale)
	}
	if d.arch.positions != "" {
		// Padding may lie beyond the last learned position.
		pos := MinScalar(d.geo.queryPos, d.config.MaxPositions-1)
		x = Add(x, Gather(d.params[d.arch.positions], InsertAxes(pos, -1)))
	}
	if d.pass.DType != dtypes.InvalidDType {
		x = ConvertDType(x, d.pass.DType)
	}
	return x
}

// layer is one decoder block. extend receives the block's new keys and values, [batch, kv_heads, queries, head_dim], and returns all
// that the queries attend to.
func (d *decoder) layer(l int, x *Node, extend func(k, v *Node) past) *Node {
	b := &d.arch.blocks[l]
	a := &b.attn

	q, k, v := d.project(a, d.norm(b.attnIn, x))
	if a.rope != nil {
		rotary := d.rotary(a.rope)
		q, k = rotary.apply(q), rotary.apply(k)
	}
	kv := extend(k, v)

	site := &Site{Layer: l, Layers: d.config.Layers, Phase: d.run.Phase, Query: q, Keys: kv.keys, Values: kv.values,
		Scale: a.scale, Softcap: a.softcap, Window: a.window, Mask: d.mask(a.window),
		QueryPos: d.geo.queryPos, KeyPos: d.geo.keyPos, KeyTokens: d.geo.keyTokens, run: d.run}
	if d.geo.segments != nil {
		site.packed = d.packedBias
	}
	if a.sinks != "" {
		site.Sinks = ConvertDType(d.params[a.sinks], dtypes.Float32)
	}
	if d.visit != nil {
		d.visit(site)
	}
	out, path := site.output()
	d.plan = append(d.plan, planLine(l, path))
	out = d.norm(b.attnOut, d.dense(a.out, mergeHeads(out)))

	if b.parallel {
		return Add(Add(x, out), d.norm(b.mlpOut, d.feedForward(&b.mlp, d.norm(b.mlpIn, x))))
	}
	x = Add(x, out)
	return Add(x, d.norm(b.mlpOut, d.feedForward(&b.mlp, d.norm(b.mlpIn, x))))
}

// prefill runs all layers over whole prompts and returns the last hidden states [batch, tokens, hidden] and each layer's new keys and values.
func (d *decoder) prefill(tokens *Node) (x *Node, caches []past) {
	x = d.embed(tokens)
	for l := range d.config.Layers {
		if d.pass.Recompute {
			x = x.Checkpoint()
		}
		x = d.layer(l, x, func(k, v *Node) past {
			kv := past{[]*Node{k}, []*Node{v}}
			caches = append(caches, kv)
			return kv
		})
		d.run.sawResidual(l, x)
		x = d.run.behindHeld(x)
	}
	if d.pass.Recompute {
		x = x.StopCheckpoint()
	}
	return x, caches
}

// logits applies the final norm and the output head: [..., hidden] -> float32 [..., vocab].
func (d *decoder) logits(x *Node) *Node { return ConvertDType(d.rawLogits(x), dtypes.Float32) }

// rawLogits are the logits in the type that they are multiplied in, capped ones in float32.
func (d *decoder) rawLogits(x *Node) *Node {
	x = d.norm(d.arch.norm, x)
	head := d.params[d.arch.head]
	if d.config.TieEmbeddings {
		head = d.params[d.arch.embed]
	}
	if d.run.training {
		head = ConvertDType(head, x.DType())
	}
	y := d.run.product(x, x.Rank()-1, head, 1, 0)
	if d.arch.softcap == 0 {
		return y
	}
	return softcap(ConvertDType(y, dtypes.Float32), d.arch.softcap)
}
