package emulate

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

// sinks marks keys whose mean received attention in the site's own layer is above Tau: bool [batch, heads, 1 or queries, keys].
func (s Spec) sinks(site *model.Site) *Node {
	probs := site.Probs()
	var mean *Node
	if s.Mask == MaskRunningSinks {
		// Query i has seen key j through i-j+1 queries, itself included.
		sum := CumSum(probs, 2)
		seen := Sub(InsertAxes(site.QueryPos, 1, -1), InsertAxes(site.KeyPos, 1, 1))
		mean = Div(sum, queries(site, AddScalar(seen, 1)))
	} else {
		run := site.Run()
		valid := ConvertDType(InsertAxes(run.QueryValid, 1, -1), dtypes.Float32) // [batch, 1, queries, 1]
		sum := ReduceAndKeep(Mul(probs, valid), ReduceSum, 2)
		seen := Sub(InsertAxes(run.Lengths, -1), site.KeyPos) // [batch, keys]: queries that can see the key
		mean = Div(sum, InsertAxes(queries(site, seen), 1, 1))
	}
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
