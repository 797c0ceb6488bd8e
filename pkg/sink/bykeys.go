package sink

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention"
)

// What a key receives in all is itself a row's sum of exponentials, seen from the keys:
//
//	sum_i A[h,i,k] = sum_{i >= k} exp(s_ik - LSE_i)
//
// so a fused kernel that attends from the keys to the queries, both in reversed order for its causal mask to keep i >= k, returns its logarithm as the
// log-sum-exp of its rows, summed in float32, and no probability is formed at all. The -LSE_i ride along as entries appended to the queries, against ones
// appended to the keys: three of 8 bits each hold a float32's 24.

const (
	keyExtra   = 8   // entries appended to a head, of which three are used: kernels want multiples of 8
	keyLargest = 128 // entries of a head that the kernel takes
)

// byKeysFits reports whether the kernel computes the layer seen from its keys: without soft cap, window and learned sinks, and heads not too large for the entries
// appended.
func byKeysFits(site *attention.Site) bool {
	plain := site.Softcap == 0 && (site.Window == 0 || site.Window >= site.NumKeys()) && site.Sinks == nil
	return plain && site.Query.Shape().Dimensions[3]+keyExtra <= keyLargest
}

// columnsByKeys are the sums of each key, [batch, heads, keys], by the fused kernel.
func (c *collector) columnsByKeys(site *attention.Site, lse *Node) *Node {
	queries, keys := c.seenFromKeys(site, lse)
	_, states := BackendFusedScaledDotProductAttention(keys, queries, queries, compute.AttentionAxesLayoutBHSD,
		&compute.ScaledDotProductAttentionConfig{Scale: site.Scale, Causal: true})
	return Reverse(Exp(states[0]), 2)
}

// seenFromKeys are the queries and keys of all heads, each [batch, heads, tokens, head_dim+8] in the model's type and in reversed order.
func (c *collector) seenFromKeys(site *attention.Site, lse *Node) (queries, keys *Node) {
	d, dtype := site.Query.Shape().Dimensions, site.Query.DType()
	batch, heads, tokens, dim := d[0], d[1], d[2], d[3]
	kvHeads := site.Keys[0].Shape().Dimensions[1]
	rest := MulScalar(lse, -1/site.Scale)
	if c.valid != nil { // rows of padding give nothing
		rest = Where(BroadcastToDims(GreaterThan(c.valid, ScalarZero(c.graph(), dtypes.Float32)), batch, heads, tokens), rest, MulScalar(OnesLike(rest), -1e6/site.Scale))
	}
	parts := []*Node{site.Query}
	for range 3 {
		// The upper 16 bits, which a bfloat16 holds: XLA takes a conversion there and back for none.
		upper := BitwiseAnd(Bitcast(rest, dtypes.Int32), Scalar(c.graph(), dtypes.Int32, -1<<16))
		part := Bitcast(upper, dtypes.Float32)
		parts, rest = append(parts, InsertAxes(ConvertDType(part, dtype), -1)), Sub(rest, part)
	}
	queries = Concatenate(append(parts, Zeros(c.graph(), shapesLike(site.Query, batch, heads, tokens, keyExtra-3))), -1)
	keys = padAxis(padAxis(site.Keys[0], 3, dim+3, 1), 3, dim+keyExtra, 0)
	keys = BroadcastToDims(InsertAxes(keys, 2), batch, kvHeads, heads/kvHeads, tokens, dim+keyExtra)
	return Reverse(queries, 2), Reverse(Reshape(keys, batch, heads, tokens, dim+keyExtra), 2)
}
