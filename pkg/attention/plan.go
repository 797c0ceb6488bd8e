package emulate

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

const (
	defaultMaxBytes   = 8 << 30 // of Execution.MaxBytes: a bias of 32 heads at 11,000 tokens
	defaultBlockBytes = 4 << 30 // of the float32 scores of a block of rows: large enough to keep a GPU busy
	leastBlocks       = 4       // of a mask: a block leaves out the keys behind it, so that 4 compute 5/8 of the square
)

// blockBytes is defaultBlockBytes but in tests, whose prompts are short.
var blockBytes = defaultBlockBytes

// carryOut changes a site by the cheapest path that is exact there, which the plan names:
//
//	fused, no bias       every entry gets the gain
//	fused, one pass      a kernel that weighs probabilities as it goes, see onePass
//	fused, N passes      the plain kernel and one or two with a bias, see edit.fused; the bias is made once where all layers share the mask
//	blocks of rows       where a bias would not fit: masks and probabilities of some rows at a time
//	dense                everywhere else: the Go backend, decoding, layers that no fused kernel computes
func (a *attached) carryOut(e edit, site *model.Site) {
	onProbs := func(probs *Node) *Node { return a.dense(e, site, probs) }
	if a.how.Dense {
		site.SetProbs(onProbs(site.Probs()))
		return
	}
	if mask, how := a.onePass(e, site); how != "" {
		gain := kernel.Gain{Of: e.gainOfHeads(site), Mask: mask, Normalise: e.renormalise == RenormaliseRow}
		site.SetOutput(site.Gained(gain), how, onProbs)
		return
	}
	square, limit := int64(4*product(entries(site))), a.maxBytes()
	cut := a.cuttable(site)
	onXLA := backend.IsXLA(site.Query.Graph().Backend())
	switch {
	case e.everything && site.LSE() != nil:
		site.SetOutput(a.runFused(e, site), "fused, output times the gain", onProbs)
		return
	case cut && site.Biasable() && e.fusedForm() && square/2*int64(e.passes()-1) <= limit: // a bias is half precision
		bias := "a bias of its own"
		if a.sharesMask() {
			bias = "one bias for all layers"
		}
		site.SetOutput(a.runFused(e, site), fmt.Sprintf("fused, %d passes, %s", e.passes(), bias), onProbs)
		return
	case cut && square > limit && onXLA:
		site.SetOutput(a.runBlocks(e, site), "dense, rewritten, by blocks of rows", onProbs)
		return
	case square > limit && onXLA && site.Phase == model.Prefill:
		exceptions.Panicf("layer %d: %s needs attention of %v as a whole, %.1f GiB, and Execution.MaxBytes allows %.1f GiB: use shorter prompts or smaller batches, or raise it",
			site.Layer, a.spec, entries(site), float64(square)/(1<<30), float64(limit)/(1<<30))
	}
	site.SetProbs(onProbs(site.Probs()))
}

// maxBytes is the largest mask, bias or square of probabilities.
func (a *attached) maxBytes() int64 {
	if a.how.MaxBytes != 0 {
		return a.how.MaxBytes
	}
	return defaultMaxBytes
}

// dense is the edit on a whole layer's probabilities.
func (a *attached) dense(e edit, site *model.Site, probs *Node) *Node {
	e.mask = a.mask(site)
	return e.dense(probs, site.Diagonal())
}

// cuttable reports whether the Spec's masks can be made of blocks of rows of this site and of the sources. The running mean of received attention
// needs all rows before.
func (a *attached) cuttable(site *model.Site) bool {
	for _, s := range a.sources {
		if !s.Blocked() {
			return false
		}
	}
	return site.Blocked() && a.spec.Mask != MaskRunningSinks
}

// sharesMask reports whether every layer has the same mask.
func (a *attached) sharesMask() bool {
	switch a.spec.Mask {
	case MaskThreshold, MaskUniform:
		return a.spec.Pairing != PairBest
	}
	return a.spec.Mask == MaskKeys || a.spec.Mask == MaskOutside
}

// runFused is the edit by runs of the layer's kernel, in the values' type.
func (a *attached) runFused(e edit, site *model.Site) *Node {
	biased := func(inside bool) func() (out, lse *Node) {
		return func() (out, lse *Node) { return site.Fused(a.bias(e, site, inside)) }
	}
	out := e.fused(passes{
		plain: func() (out, lse *Node) { return site.Fused(nil) }, inside: biased(true), outside: biased(false),
		own: func(lse *Node) (share, value *Node) { return own(site, lse) },
	})
	return ConvertDType(out, site.Values[0].DType())
}

// own is the probability that each query gives its own position, float32 [batch, heads, queries, 1], and the value there, [batch, heads, queries, head_dim].
func own(site *model.Site, lse *Node) (share, value *Node) {
	d := site.Query.Shape().Dimensions
	kvHeads := site.Keys[0].Shape().Dimensions[1]
	ofHeads := func(x *Node) *Node { // [batch, kv_heads, ...] -> [batch, heads, ...] in float32
		x = BroadcastToDims(InsertAxes(ConvertDType(x, dtypes.Float32), 2), d[0], kvHeads, d[1]/kvHeads, d[2], d[3])
		return Reshape(x, d...)
	}
	score := MulScalar(sumRow(Mul(ConvertDType(site.Query, dtypes.Float32), ofHeads(site.Keys[0]))), site.Scale)
	return Exp(Sub(score, InsertAxes(lse, -1))), ofHeads(site.Values[0])
}

// bias is 0 inside the mask and off outside it, or the other way round: [batch, heads, queries, keys] in the queries' type, made by blocks of rows.
func (a *attached) bias(e edit, site *model.Site, inside bool) *Node {
	if a.sharesMask() && a.biases[inside] != nil {
		return a.biases[inside]
	}
	g, dtype := site.Query.Graph(), site.Query.DType()
	zero, away := ScalarZero(g, dtype), Scalar(g, dtype, off)
	if !inside {
		zero, away = away, zero
	}
	bias := a.byBlocks(site, func(part *model.Site, mask *Node) *Node {
		dims := mask.Shape().Dimensions
		if e.renormalise == RenormaliseKeepDiagonal { // its own position is no part of what is changed
			mask = whereNot(part.Diagonal(), mask, dims)
		}
		return widen(Where(mask, BroadcastToDims(zero, dims...), BroadcastToDims(away, dims...)), site.NumKeys())
	})
	if a.sharesMask() {
		if a.biases == nil {
			a.biases = map[bool]*Node{}
		}
		a.biases[inside] = bias
	}
	return bias
}

// byBlocks makes something of a site's mask, bool [batch, heads, rows, keys that they see], by blocks of rows: [batch, heads, queries, ...].
func (a *attached) byBlocks(site *model.Site, of func(part *model.Site, mask *Node) *Node) *Node {
	var parts []*Node
	masks := a.masksByBlocks(site)
	for _, at := range blocks(site, leastBlocks) {
		part := site.Rows(at[0], at[1])
		parts = append(parts, of(part, masks(part, at)))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, 2)
}

// masksByBlocks gives the mask of some rows of a site: bool [batch, heads, rows, keys that they see].
func (a *attached) masksByBlocks(site *model.Site) func(part *model.Site, at [2]int) *Node {
	var columns *Node
	if a.spec.Mask == MaskSinks {
		columns = a.spec.sinksByBlocks(site)
	}
	return func(part *model.Site, at [2]int) *Node {
		var p *pattern
		if a.spec.hasSource() {
			sources := make([]*model.Site, len(a.sources))
			for i, s := range a.sources {
				sources[i] = s.Rows(at[0], at[1])
			}
			p = a.spec.patternOf(sources)
		}
		return a.spec.maskFrom(p, part, func() *Node { return SliceAxis(columns, 3, AxisRange(0, at[1])) })
	}
}

// runBlocks is the edit on the probabilities of some rows at a time, in the values' type. Each block waits for the one before.
func (a *attached) runBlocks(e edit, site *model.Site) *Node {
	own := &attached{spec: a.spec, how: a.how, sources: make([]*model.Site, len(a.sources))}
	var parts []*Node
	before := site.Query
	for _, at := range blocks(site, 1) {
		for i, s := range a.sources {
			own.sources[i] = s.After(before)
		}
		part := site.After(before).Rows(at[0], at[1])
		if !e.everything {
			e.mask = own.masksByBlocks(site)(part, at)
		}
		before = part.Weigh(e.dense(part.Probs(), part.Diagonal()))
		parts = append(parts, before)
	}
	return Concatenate(parts, 2)
}

// blocks cuts a site's rows so that the scores of a block stay within blockBytes, and into no fewer than so many blocks.
func blocks(site *model.Site, atLeast int) [][2]int {
	d := entries(site)
	rows := min((d[2]+atLeast-1)/atLeast, max(1, blockBytes/(4*d[0]*d[1]*d[3])))
	var out [][2]int
	for at := 0; at < d[2]; at += rows {
		out = append(out, [2]int{at, min(at+rows, d[2])})
	}
	return out
}

// widen appends zeros to the last axis: keys that a block of rows does not see, where the causal kernel looks at no bias.
func widen(x *Node, keys int) *Node {
	more := keys - x.Shape().Dimensions[x.Rank()-1]
	if more == 0 {
		return x
	}
	return GrowRight(x, x.Rank()-1, more, 0)
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
