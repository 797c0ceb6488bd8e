package emulate

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/model"
)

// weighs reports whether the edit multiplies probabilities by weights that are known before their row is, so that one pass can apply them.
func (e edit) weighs() bool {
	return !e.everything && !e.spread && (e.renormalise == RenormaliseNone || e.renormalise == RenormaliseRow && e.gain > 0)
}

// gainOfHeads are the weights of the mask's entries, float32 [heads].
func (e edit) gainOfHeads(site *model.Site) *Node {
	ones := Ones(site.Query.Graph(), shapes.Make(dtypes.Float32, entries(site)[1]))
	gains := MulScalar(ones, e.gain)
	if e.heads != nil {
		gains = Where(Reshape(e.heads, -1), gains, ones)
	}
	return gains
}

// onePass is the mask for the kernel that weighs probabilities as it goes (package kernel), and how that is for the plan; "" where it does not carry out the edit.
// Reading the mask from bits is quicker than a second product of queries and keys. Finding it along the way takes no memory, for lengths where making bits would.
func (a *attached) onePass(e edit, site *model.Site) (mask kernel.Mask, how string) {
	half := 2 * int64(product(entries(site))) // bytes of a square in half precision, as other ways to make a mask are bounded by
	switch {
	case !e.weighs():
	case a.cuttable(site) && half <= a.maxBytes():
		if !site.Gainable(false) {
			break
		}
		how = "fused, one pass, a mask of its own"
		if a.sharesMask() {
			how = "fused, one pass, one mask for all layers"
		}
		return kernel.Mask{Bits: a.inBits(site)}, how
	case a.foundByLimits(site) && site.Gainable(true):
		source := a.sources[0]
		limits := a.spec.limits(source.LSE(), source.QueryPos)
		return source.Above(limits, a.spec.Diagonal), "fused, one pass, the mask found along the way"
	}
	return mask, ""
}

// foundByLimits reports whether the mask is that of the entries of one layer's attention that pass their row's limit and nothing else.
func (a *attached) foundByLimits(site *model.Site) bool {
	s := a.spec
	if s.Mask != MaskThreshold || s.Pairing != PairSame || s.TopK > 0 || s.Quantile > 0 || len(s.ExcludePositions)+len(s.ExcludeTokens) > 0 || len(a.sources) != 1 {
		return false
	}
	source := a.sources[0]
	same := source.Query.Shape().Equal(site.Query.Shape()) && len(source.Keys) == 1 && source.Keys[0].Shape().Equal(site.Keys[0].Shape())
	return same && source.Plain() && source.LSE() != nil
}

// limits are what scores must pass for their probability to be above the threshold, float32 [batch, heads, queries]: LSE + log tau. lse is the rows' log-sum-exp
// and positions int32 [1 or batch, queries].
func (s Spec) limits(lse, positions *Node) *Node {
	if s.PerKey > 0 { // of the keys that a query sees
		seen := AddScalar(ConvertDType(InsertAxes(positions, 1), dtypes.Float32), 1)
		return AddScalar(Sub(lse, Log(seen)), math.Log(s.PerKey))
	}
	return AddScalar(lse, math.Log(s.Tau))
}

// inBits is a site's mask as the kernel reads it, made once where all layers share it.
func (a *attached) inBits(site *model.Site) *Node {
	if a.bits != nil {
		return a.bits
	}
	bits := a.byBlocks(site, func(_ *model.Site, mask *Node) *Node { return kernel.Pack(mask, site.NumKeys()) })
	if a.sharesMask() {
		a.bits = bits
	}
	return bits
}
