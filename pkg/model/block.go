package model

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// decoder builds the transformer, or some layers of it, inside one graph (or inside the body of a loop of it).
type decoder struct {
	config   *Config
	arch     *architecture
	params   map[string]*Node // weights by checkpoint name
	phase    attn.Phase
	training bool          // see Product in package attention
	visits   []*attn.Visit // what an experiment does, by layer; nil = nothing
	carry    *attn.Carry
	plan     []string // of each layer that was built, how its attention is computed

	geo      geometry
	masks    map[int]*Node // by window
	rotaries map[*rope]rotary
	bias     *Node // see packedBias

	pass PassOptions

	cutInto func(product string) int // how many devices have a piece of a product each
}

func (m *Model) newDecoder(params map[string]*Node, phase attn.Phase, geo geometry, visits []*attn.Visit) *decoder {
	d := &decoder{config: m.Config, arch: m.arch, params: params, phase: phase, visits: visits, geo: geo, masks: map[int]*Node{}, rotaries: map[*rope]rotary{}}
	d.cutInto = m.cutInto
	var o attn.Options
	if geo.segments != nil {
		o.Packed = d.packedBias
	}
	d.carry = attn.NewCarry(o, nil)
	return d
}

// past is what a layer attends to beyond the new tokens: cached key and value segments, [batch, kv_heads, keys, head_dim].
type past struct{ keys, values []*Node }

// embed looks tokens up: int32 [batch, tokens] -> [batch, tokens, hidden].
func (d *decoder) embed(tokens *Node) *Node {
	x := Gather(d.params[d.arch.embed], InsertAxes(tokens, -1))
	if d.arch.wide && !d.training {
		x = ConvertDType(x, dtypes.Float32)
	}
	if d.arch.embedScale != 0 {
		x = MulScalar(x, d.arch.embedScale)
	}
	if d.arch.embedIn.name != "" {
		x = d.dense(d.arch.embedIn, x)
	}
	x = d.norm(d.arch.embedNorm, x)
	if d.arch.perLayer.width > 0 {
		x = Concatenate([]*Node{x, d.pieces(tokens, x)}, -1)
	}
	x = d.withSlots(x)
	if d.arch.positions != "" {
		// Padding may lie beyond the last learned position.
		pos := AddScalar(MinScalar(d.geo.ofStream(d.geo.queryPos), d.config.MaxPositions-1), d.arch.positionsAt)
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
	stream := x
	x = d.hidden(x)

	q, k, v := d.project(a, b.attnIn, x)
	if a.rope != nil {
		rotary := d.rotary(a.rope)
		q = rotary.apply(q)
		if a.rope.grows != 0 {
			q = ConvertDType(Mul(ConvertDType(q, dtypes.Float32), a.rope.lengthened(d.geo.queryPos)), q.DType())
		}
		if k != nil {
			k = rotary.apply(k)
		}
	}
	if a.normRotated {
		q, k = d.norm(a.queryNorm, q), d.norm(a.keyNorm, k)
	}
	switch {
	case a.keysFrom > 0:
		k, v = d.fromSlot(stream, a.keysFrom)
	case a.keysTo > 0:
		stream = d.toSlot(stream, a.keysTo, k, v)
	}
	kv := extend(k, v)

	o := attn.Operands{Query: q, Keys: kv.keys, Values: kv.values, Scale: a.scale, Softcap: a.softcap, Window: a.window, Mask: d.mask(a.window),
		QueryPos: d.geo.queryPos, KeyPos: d.geo.keyPos, KeyTokens: d.geo.keyTokens, Lengths: d.geo.real, Prompt: d.geo.prompt, Span: d.geo.span, Trees: d.geo.parts != nil}
	if weights := d.params[a.out.name+".weight"].DType(); d.arch.wide && weights != dtypes.Float32 {
		o.Half = weights
	}
	if a.sinks != "" {
		o.Sinks = ConvertDType(d.params[a.sinks], dtypes.Float32)
	}
	var visit *attn.Visit
	if d.visits != nil {
		visit = d.visits[l]
	}
	out, how, after := attn.Compute(o, layerOf(d.config, d.arch, l, d.phase), visit, d.carry)
	d.plan = append(d.plan, how)
	out = d.geo.toStream(mergeHeads(out))
	seen := func(y *Node) *Node {
		if d.phase == attn.Prefill {
			after.MLP(y)
		}
		return y
	}
	switch {
	case b.parallel:
		in := b.mlpIn
		if b.oneNorm {
			in = b.attnIn
		}
		out, input := d.dense(a.out, out), d.norm(in, x)
		x = d.add(b, d.add(b, x, d.norm(b.attnOut, out)), seen(d.norm(b.mlpOut, d.feedForward(&b.mlp, input))))
	case b.normSum:
		x = d.norm(b.attnOut, d.add(b, x, d.dense(a.out, out)))
		x = d.norm(b.mlpOut, d.add(b, x, seen(d.feedForward(&b.mlp, x))))
	default:
		x = d.add(b, x, d.norm(b.attnOut, d.dense(a.out, out)))
		x = d.add(b, x, seen(d.norm(b.mlpOut, d.feedForward(&b.mlp, d.norm(b.mlpIn, x)))))
	}
	if b.pieceGate.name != "" {
		piece := SliceAxis(stream, -1, AxisRange(d.config.HiddenSize, d.config.HiddenSize+d.arch.perLayer.width))
		x = Add(x, d.norm(b.pieceNorm, d.dense(b.pieceOut, Mul(b.mlp.act(d.dense(b.pieceGate, x)), piece))))
	}
	if b.scalar != "" {
		x = Mul(x, ExpandLeftToRank(ConvertDType(d.params[b.scalar], x.DType()), x.Rank()))
	}
	if d.phase == attn.Prefill {
		after.Residual(x)
	}
	return d.carryPieces(x, stream)
}

// hidden is the residual stream without what it carries: see perLayer and sharedKeys.
func (d *decoder) hidden(x *Node) *Node {
	if d.arch.perLayer.width == 0 && d.arch.shared == nil {
		return x
	}
	return SliceAxis(x, -1, AxisRange(0, d.config.HiddenSize))
}

// slotsAt is where the first slot of the stream begins.
func (d *decoder) slotsAt() int { return d.config.HiddenSize + d.config.Layers*d.arch.perLayer.width }

// withSlots puts empty slots behind the stream.
func (d *decoder) withSlots(x *Node) *Node {
	width := 0
	for _, w := range d.arch.shared {
		width += w
	}
	if width == 0 {
		return x
	}
	parts := []*Node{x}
	for n := 0; n < width; n += d.config.HiddenSize {
		part := d.hidden(x)
		part = SliceAxis(Sub(part, part), -1, AxisRange(0, min(d.config.HiddenSize, width-n)))
		parts = append(parts, part)
	}
	return Concatenate(parts, -1)
}

// slot is where a slot of the stream lies.
func (d *decoder) slot(number int) (from, to int) {
	from = d.slotsAt()
	for _, w := range d.arch.shared[:number-1] {
		from += w
	}
	return from, from + d.arch.shared[number-1]
}

// toSlot puts keys and values, [batch, kv_heads, tokens, head_dim], into a slot.
func (d *decoder) toSlot(stream *Node, number int, k, v *Node) *Node {
	from, to := d.slot(number)
	parts := []*Node{SliceAxis(stream, -1, AxisRange(0, from)), ConvertDType(mergeHeads(k), stream.DType()), ConvertDType(mergeHeads(v), stream.DType())}
	if end := stream.Shape().Dimensions[2]; to < end {
		parts = append(parts, SliceAxis(stream, -1, AxisRange(to, end)))
	}
	return Concatenate(parts, -1)
}

// fromSlot reads them.
func (d *decoder) fromSlot(stream *Node, number int) (k, v *Node) {
	from, to := d.slot(number)
	middle := (from + to) / 2
	half := func(from, to int) *Node {
		return splitHeads(SliceAxis(stream, -1, AxisRange(from, to)), d.config.KVHeads)
	}
	return half(from, middle), half(middle, to)
}

// carryPieces puts what the stream before a layer carried behind its output, the layer's own piece behind the others.
func (d *decoder) carryPieces(x, stream *Node) *Node {
	own, h, end := d.arch.perLayer.width, d.config.HiddenSize, d.slotsAt()
	parts := []*Node{x}
	if own > 0 && d.config.Layers > 1 {
		parts = append(parts, SliceAxis(stream, -1, AxisRange(h+own, end)))
	}
	if own > 0 {
		parts = append(parts, SliceAxis(stream, -1, AxisRange(h, h+own)))
	}
	if d.arch.shared != nil {
		parts = append(parts, SliceAxis(stream, -1, AxisRange(end, stream.Shape().Dimensions[2])))
	}
	if len(parts) == 1 {
		return x
	}
	return Concatenate(parts, -1)
}

// pieces makes the layers' own inputs, [batch, tokens, layers*width].
func (d *decoder) pieces(tokens, x *Node) *Node {
	p := d.arch.perLayer
	table := MulScalar(ConvertDType(Gather(d.params[p.embed], InsertAxes(tokens, -1)), x.DType()), math.Sqrt(float64(p.width)))
	made := MulScalar(d.dense(p.projection, x), 1/math.Sqrt(float64(d.config.HiddenSize)))
	dims := made.Shape().Dimensions
	made = Reshape(d.norm(p.norm, Reshape(made, dims[0], dims[1], d.config.Layers, p.width)), dims...)
	return MulScalar(Add(made, table), math.Sqrt2/2)
}

// add is x + residual*y.
func (d *decoder) add(b *block, x, y *Node) *Node {
	if b.residual != 0 {
		y = MulScalar(y, b.residual)
	}
	return Add(x, y)
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
	if x.Shape().Dimensions[x.Rank()-1] > d.config.HiddenSize {
		x = d.hidden(x)
	}
	x = d.norm(d.arch.norm, x)
	if d.arch.headIn.name != "" {
		x = d.dense(d.arch.headIn, x)
	}
	head := d.params[d.arch.head]
	if d.config.TieEmbeddings {
		head = d.params[d.arch.embed]
	}
	if d.training {
		head = ConvertDType(head, x.DType())
	}
	y := d.matmul(x, x.Rank()-1, head, 1, 0)
	if d.arch.headBias != "" {
		y = Add(y, ExpandLeftToRank(ConvertDType(d.params[d.arch.headBias], y.DType()), y.Rank()))
	}
	if d.arch.logitScale != 0 {
		y = MulScalar(y, d.arch.logitScale)
	}
	if d.arch.softcap == 0 {
		return y
	}
	return attn.Softcap(ConvertDType(y, dtypes.Float32), d.arch.softcap)
}

// norm applies a normalisation over the last axis, in float32; a norm without a name passes x on.
//
//	rms:        x / sqrt(mean(x²) + eps) * w            (Zhang and Sennrich 2019)
//	rmsPlusOne: x / sqrt(mean(x²) + eps) * (1 + w)
//	layerNorm:  (x - mean(x)) / sqrt(var(x) + eps) * w + b, or without b, or of each head with its own w
func (d *decoder) norm(n norm, x *Node) *Node {
	if n.name == "" {
		return x
	}
	dtype, rank := x.DType(), x.Rank()
	param := func(name string) *Node {
		p := ConvertDType(d.params[n.name+name], dtypes.Float32)
		if n.kind.byHead() {
			p = InsertAxes(p, 1) // [heads, 1, head_dim] beside [batch, heads, tokens, head_dim]
		}
		return ExpandLeftToRank(p, rank)
	}
	x = ConvertDType(x, dtypes.Float32)
	if n.kind.centres() {
		x = Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	}
	// Division by a root: Rsqrt has no gradient in GoMLX v0.28.
	x = Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), n.eps)))
	if n.kind.bare() {
		return ConvertDType(x, dtype)
	}
	weight := param(".weight")
	if n.kind == rmsPlusOne {
		weight = AddScalar(weight, 1.0)
	}
	x = Mul(x, weight)
	if n.kind == layerNorm {
		x = Add(x, param(".bias"))
	}
	return ConvertDType(x, dtype)
}

// dense applies a matrix product over the last axis.
func (d *decoder) dense(m dense, x *Node) *Node {
	axis := 1
	if m.transposed {
		axis = 0
	}
	y := d.matmul(x, x.Rank()-1, d.params[m.name+".weight"], axis, 0)
	if more := d.addend(m.name, x); more != nil {
		y = Add(y, more)
	}
	if m.bias {
		y = Add(y, ExpandLeftToRank(ConvertDType(d.params[m.name+".bias"], y.DType()), y.Rank()))
	}
	return y
}

// project makes queries, keys and values of the residual stream, normalised by in, each [batch, heads or kv_heads, tokens, head_dim], before rotation.
func (d *decoder) project(a *attention, in norm, x *Node) (q, k, v *Node) {
	c := d.config
	x = d.norm(in, x)
	switch {
	case a.keysFrom > 0:
		return d.norm(a.queryNorm, splitHeads(d.dense(a.query, x), c.Heads)), nil, nil
	case a.valueIsKey:
		y := d.matmuls(x, a.query, a.key)
		q, k, v = y[0], y[1], y[1]
	case a.fused.name == "":
		y := d.matmuls(x, a.query, a.key, a.value)
		q, k, v = y[0], y[1], y[2]
	case a.interleaved:
		y := d.dense(a.fused, x)
		dims := y.Shape().Dimensions
		group := c.Heads / c.KVHeads // query heads of a key head
		y = Reshape(y, dims[0], dims[1], c.KVHeads, (group+2)*c.HeadDim)
		heads := func(from, to int) *Node {
			part := SliceAxis(y, -1, AxisRange(from*c.HeadDim, to*c.HeadDim))
			return Reshape(part, dims[0], dims[1], c.KVHeads*(to-from)*c.HeadDim)
		}
		q, k, v = heads(0, group), heads(group, group+1), heads(group+1, group+2)
	default:
		y := d.dense(a.fused, x)
		queries := a.out.in
		keys := (y.Shape().Dimensions[2] - queries) / 2 // the layer's own: in gemma4 not the configuration's
		parts := d.parts(a.fused, y, queries, keys, keys)
		q, k, v = parts[0], parts[1], parts[2]
	}
	if a.normWhole {
		q, k = d.norm(a.queryNorm, q), d.norm(a.keyNorm, k)
	}
	if a.clip > 0 {
		q, k, v = ClipScalar(q, -a.clip, a.clip), ClipScalar(k, -a.clip, a.clip), ClipScalar(v, -a.clip, a.clip)
	}
	kvHeads := a.keyHeads(c)
	q, k, v = splitHeads(d.geo.toRows(q), c.Heads), splitHeads(d.geo.toRows(k), kvHeads), splitHeads(d.geo.toRows(v), kvHeads)
	if !a.normWhole && !a.normRotated {
		q, k = d.norm(a.queryNorm, q), d.norm(a.keyNorm, k)
	}
	return q, repeatHeads(k, c.KVHeads), repeatHeads(d.norm(a.valueNorm, v), c.KVHeads)
}

// repeatHeads turns [batch, n, tokens, dim] into [batch, heads, tokens, dim]: each head stands for heads/n neighbouring ones.
func repeatHeads(x *Node, heads int) *Node {
	d := x.Shape().Dimensions
	if d[1] == heads {
		return x
	}
	return Reshape(BroadcastToDims(InsertAxes(x, 2), d[0], d[1], heads/d[1], d[2], d[3]), d[0], heads, d[2], d[3])
}

// feedForward applies a block's MLP, [batch, tokens, hidden].
func (d *decoder) feedForward(m *mlp, x *Node) *Node {
	switch {
	case m.experts != nil:
		return d.mixture(m.experts, x)
	case m.gateUp.name != "":
		y := d.dense(m.gateUp, x)
		parts := d.parts(m.gateUp, y, m.gateUp.out/2, m.gateUp.out/2)
		return d.dense(m.down, Mul(m.act(parts[0]), parts[1]))
	case m.gate.name != "":
		y := d.matmuls(x, m.gate, m.up)
		return d.dense(m.down, Mul(m.act(y[0]), y[1]))
	}
	y := d.dense(m.up, x)
	if m.xielu != "" {
		return d.dense(m.down, d.xielu(m.xielu, y))
	}
	return d.dense(m.down, m.act(y))
}

// parts divides the output of a product of several, [batch, tokens, out], into those of so many entries. Where devices have a piece of each, the product's output has the
// parts of the first device, then those of the second.
func (d *decoder) parts(m dense, y *Node, sizes ...int) (parts []*Node) {
	dims := y.Shape().Dimensions
	n := d.cutInto(m.name)
	if n > 1 {
		y = Reshape(y, dims[0], dims[1], n, dims[2]/n)
	}
	at := 0
	for _, size := range sizes {
		part := SliceAxis(y, -1, AxisRange(at, at+size/n))
		if n > 1 {
			part = Reshape(part, dims[0], dims[1], size)
		}
		parts, at = append(parts, part), at+size/n
	}
	return parts
}

// splitHeads turns [batch, tokens, heads*dim] into [batch, heads, tokens, dim].
func splitHeads(x *Node, heads int) *Node {
	d := x.Shape().Dimensions
	return TransposeAllAxes(Reshape(x, d[0], d[1], heads, d[2]/heads), 0, 2, 1, 3)
}

// mergeHeads is the inverse of splitHeads.
func mergeHeads(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(TransposeAllAxes(x, 0, 2, 1, 3), d[0], d[2], d[1]*d[3])
}

// positionsUpTo is 0..n-1, int32 [1, n].
func positionsUpTo(g *Graph, n int) *Node { return Iota(g, shapes.Make(dtypes.Int32, 1, n), 1) }

// shapesOf is a shape of x's type with other dimensions.
func shapesOf(x *Node, dims ...int) shapes.Shape { return shapes.Make(x.DType(), dims...) }

// packedBias keeps the documents of packed rows apart in a form that the kernel takes: 0 where a query sees a key and hugely negative elsewhere, [batch, heads,
// queries, keys] in the queries' type, made once for all layers.
func (d *decoder) packedBias(query *Node) *Node {
	if d.bias == nil {
		g, dtype, dims := query.Graph(), query.DType(), query.Shape().Dimensions
		bias := Where(d.mask(0), Scalar(g, dtype, 0), Scalar(g, dtype, attn.Masked))
		d.bias = StopGradient(BroadcastToDims(bias, dims[0], dims[1], dims[2], dims[2]))
	}
	return d.bias
}
