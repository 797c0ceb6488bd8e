package emulate

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

// sinksByBlocks is sinks for MaskSinks without the layer's whole attention: bool [batch, heads, 1, keys].
func (s Spec) sinksByBlocks(site *model.Site) *Node {
	run := site.Run()
	valid := ConvertDType(run.QueryValid, dtypes.Float32) // [batch, queries]
	var sum *Node
	for _, at := range blocks(site, 1) {
		part := site.Rows(at[0], at[1])
		real := InsertAxes(SliceAxis(valid, 1, AxisRange(at[0], at[1])), 1, -1)
		columns := ReduceAndKeep(Mul(part.Probs(), real), ReduceSum, 2)
		if columns = widen(columns, site.NumKeys()); sum != nil {
			columns = Add(sum, columns)
		}
		sum = columns
	}
	return s.aboveMean(site, sum)
}

// sinks marks keys whose mean received attention in the site's own layer is above Tau: bool [batch, heads, 1 or queries, keys].
func (s Spec) sinks(site *model.Site) *Node {
	probs := site.Probs()
	if s.Mask == MaskRunningSinks {
		// Query i has seen key j through i-j+1 queries, itself included.
		sum := CumSum(probs, 2)
		seen := Sub(InsertAxes(site.QueryPos, 1, -1), InsertAxes(site.KeyPos, 1, 1))
		mean := Div(sum, queries(site, AddScalar(seen, 1)))
		return GreaterThan(mean, Scalar(mean.Graph(), mean.DType(), s.Tau))
	}
	valid := ConvertDType(InsertAxes(site.Run().QueryValid, 1, -1), dtypes.Float32) // [batch, 1, queries, 1]
	return s.aboveMean(site, ReduceAndKeep(Mul(probs, valid), ReduceSum, 2))
}

// aboveMean marks the keys whose column, [batch, heads, 1, keys], is above Tau in the mean over the queries that can see them.
func (s Spec) aboveMean(site *model.Site, columns *Node) *Node {
	seen := Sub(InsertAxes(site.Run().Lengths, -1), site.KeyPos) // [batch, keys]
	mean := Div(columns, InsertAxes(queries(site, seen), 1, 1))
	return GreaterThan(mean, Scalar(mean.Graph(), mean.DType(), s.Tau))
}

// queries is the number of queries that a mean is taken over, float32: at least 1, and at most the layer's window, beyond which a key is not seen.
func queries(site *model.Site, seen *Node) *Node {
	n := MaxScalar(ConvertDType(seen, dtypes.Float32), 1.0)
	if site.Window > 0 {
		n = MinScalar(n, float64(site.Window))
	}
	return n
}
