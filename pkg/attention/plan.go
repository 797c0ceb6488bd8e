package attention

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/backend"
)

// Change changes the layer's attention by the cheapest path that is exact there, which the plan names:
//
//	fused, no bias       every entry gets the gain
//	fused, one pass      a kernel that weighs probabilities as it goes, see onePass
//	fused, N passes      the plain kernel and one or two with a bias, see edit.fused; the bias is made once where all layers share the mask
//	blocks of rows       where a bias would not fit: masks and probabilities of some rows at a time
//	dense                everywhere else: the Go backend, decoding, layers that no fused kernel computes
func (s *Site) Change(w Weighted) {
	c := &change{Weighted: w, edit: w.edit(), site: s, scope: s.scope}
	if s.intercept != nil {
		s.intercept(c)
		return
	}
	c.carryOut()
}

// change is a Weighted at a site.
type change struct {
	Weighted
	edit
	site  *Site
	scope string // of the experiment that makes it
}

func (c *change) carryOut() {
	site := c.site
	if c.Dense {
		site.SetProbs(c.onProbs(site.Probs()))
		return
	}
	if mask, how := c.onePass(); how != "" {
		site.setOutput(c.runOnePass(mask), how, c.onProbs)
		return
	}
	square, limit := bytesOf(site.entries()), c.maxBytes()
	cut := c.cuttable()
	onXLA := backend.IsXLA(site.graph().Backend())
	switch {
	case c.everything && site.LSE() != nil:
		site.setOutput(c.runFused(), "fused, output times the gain", c.onProbs)
		return
	case cut && site.takesBias() && c.fusedForm() && square/2*int64(c.passes()-1) <= limit: // a bias is half precision
		bias := "a bias of its own"
		if c.Mask.shared() != "" {
			bias = "one bias for all layers"
		}
		site.setOutput(c.runFused(), fmt.Sprintf("fused, %d passes, %s", c.passes(), bias), c.onProbs)
		return
	case cut && square > limit && onXLA:
		site.setOutput(c.runBlocks(), "dense, rewritten, by blocks of rows", c.onProbs)
		return
	case square > limit && onXLA && site.Phase == Prefill:
		exceptions.Panicf("layer %d: a change of %v entries needs them as a whole, %.1f GiB, and Execution.MaxBytes allows %.1f GiB: use shorter prompts or smaller batches, or raise it",
			site.Index, site.entries(), float64(square)/(1<<30), float64(limit)/(1<<30))
	}
	site.SetProbs(c.onProbs(site.Probs()))
}

// onProbs is the change of a whole layer's probabilities. It may be asked for by an experiment that acts later, which has names of its own.
func (c *change) onProbs(probs *Node) *Node {
	defer func(scope string) { c.site.scope = scope }(c.site.scope)
	c.site.scope = c.scope
	e := c.edit
	e.mask = c.whole()
	return e.dense(probs, c.site.Diagonal())
}

// whole is the site's mask: bool [batch, heads, queries, keys], nil for every entry.
func (c *change) whole() *Node { return c.Mask.of(c.site, nil) }

// cuttable reports whether the mask can be made of blocks of rows of this site and of what earlier ones have kept.
func (c *change) cuttable() bool { return c.site.blocked() && c.Mask.byRows() }

// onePass is the mask for the kernel that weighs probabilities as it goes (package kernel), and how that is for the plan; "" where it does not carry out the edit.
// Reading the mask from bits is quicker than a second product of queries and keys. Finding it along the way takes no memory, for lengths where making bits would.
func (c *change) onePass() (mask kernel.Mask, how string) {
	if !c.weighs() {
		return mask, ""
	}
	half := bytesOf(c.site.entries()) / 2 // of a square in half precision, as other ways to make a mask are bounded by
	earlier, isEarlier := c.Mask.(Earlier)
	switch {
	case isEarlier && c.site.gainable(false) && c.site.Kept(earlier.Name+".bits") != nil && earlier.Pairing != BestHead:
		return kernel.Mask{Bits: c.site.Kept(earlier.Name + ".bits")}, "fused, one pass, one mask for all layers"
	case isEarlier && c.site.gainable(true) && earlier.byLimits(c.site) != nil:
		source := earlier.byLimits(c.site)
		limits := limits(source.lse, source.QueryPos, earlier.Tau, earlier.PerKey)
		return source.aboveLimits(limits, !earlier.Without.Diagonal), "fused, one pass, the mask found along the way"
	case c.cuttable() && half <= c.maxBytes() && c.site.gainable(false):
		how = "fused, one pass, a mask of its own"
		if c.Mask.shared() != "" {
			how = "fused, one pass, one mask for all layers"
		}
		return kernel.Mask{Bits: c.inBits()}, how
	}
	return mask, ""
}

func (c *change) runOnePass(mask kernel.Mask) *Node {
	return c.site.gained(kernel.Gain{Values: c.gainOfHeads(c.site.entries()[1]), Mask: mask, Normalise: c.edit.renormalise == Row})
}

// runFused is the edit by runs of the layer's kernel, in the values' type.
func (c *change) runFused() *Node {
	biased := func(inside bool) func() (out, lse *Node) {
		return func() (out, lse *Node) { return c.site.runFused(c.bias(inside)) }
	}
	out := c.fused(passes{
		plain: func() (out, lse *Node) { return c.site.runFused(nil) }, inside: biased(true), outside: biased(false),
		own: func(lse *Node) (share, value *Node) { return own(c.site, lse) },
	})
	return ConvertDType(out, c.site.Values[0].DType())
}

// own is the probability that each query gives its own position, float32 [batch, heads, queries, 1], and the value there, [batch, heads, queries, head_dim].
func own(site *Site, lse *Node) (share, value *Node) {
	d := site.Query.Shape().Dimensions
	kvHeads := site.Keys[0].Shape().Dimensions[1]
	ofHeads := func(x *Node) *Node { // [batch, kv_heads, ...] -> [batch, heads, ...] in float32
		x = BroadcastToDims(InsertAxes(ConvertDType(x, dtypes.Float32), 2), d[0], kvHeads, d[1]/kvHeads, d[2], d[3])
		return Reshape(x, d...)
	}
	score := MulScalar(sumRow(Mul(ConvertDType(site.Query, dtypes.Float32), ofHeads(site.Keys[0]))), site.Scale)
	return Exp(Sub(score, InsertAxes(lse, -1))), ofHeads(site.Values[0])
}

// shared makes something of the mask, once for all layers of the graph that share it.
func (c *change) shared(what string, make func() *Node) *Node {
	if name := c.Mask.shared(); name != "" {
		return c.site.once(name+" "+what, make)
	}
	return make()
}

// bias is 0 inside the mask and off outside it, or the other way round: [batch, heads, queries, keys] in the queries' type, made by blocks of rows.
func (c *change) bias(inside bool) *Node {
	return c.shared(fmt.Sprintf("bias, inside %t, diagonal kept %t", inside, c.edit.renormalise == KeepDiagonal), func() *Node {
		g, dtype := c.site.graph(), c.site.Query.DType()
		zero, away := ScalarZero(g, dtype), Scalar(g, dtype, off)
		if !inside {
			zero, away = away, zero
		}
		return c.byBlocks(func(part *Site, mask *Node) *Node {
			dims := mask.Shape().Dimensions
			if c.edit.renormalise == KeepDiagonal { // its own position is not changed
				mask = whereNot(part.Diagonal(), mask, dims)
			}
			return widen(Where(mask, BroadcastToDims(zero, dims...), BroadcastToDims(away, dims...)), c.site.NumKeys())
		})
	})
}

// inBits is the mask as the kernel reads it.
func (c *change) inBits() *Node {
	return c.shared("bits", func() *Node {
		return c.byBlocks(func(_ *Site, mask *Node) *Node { return kernel.Pack(mask, c.site.NumKeys()) })
	})
}

// byBlocks makes something of the mask, bool [batch, heads, rows, keys that they see], by blocks of rows: [batch, heads, queries, ...].
func (c *change) byBlocks(of func(part *Site, mask *Node) *Node) *Node {
	var parts []*Node
	columns := c.columns()
	for _, at := range blocks(c.site, leastBlocks) {
		part := c.site.rows(at[0], at[1])
		parts = append(parts, of(part, c.Mask.of(part, columns)))
	}
	return concatenateRows(parts)
}

// columns are what blocks of rows need to know of the whole layer; nil for nothing.
func (c *change) columns() *Node {
	if m, ok := c.Mask.(Received); ok {
		return m.wholeColumns(c.site)
	}
	return nil
}

// runBlocks is the edit on the probabilities of some rows at a time, in the values' type. Each block waits for the one before.
func (c *change) runBlocks() *Node {
	var parts []*Node
	columns := c.columns()
	before := c.site.Query
	for _, at := range blocks(c.site, 1) {
		part := c.site.after(before).rows(at[0], at[1])
		e := c.edit
		if !e.everything {
			e.mask = c.Mask.of(part, columns)
		}
		before = part.weigh(e.dense(part.Probs(), part.Diagonal()))
		parts = append(parts, before)
	}
	return concatenateRows(parts)
}
