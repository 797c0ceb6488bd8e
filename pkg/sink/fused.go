package sink

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/attention/kernel"
)

// byKernel reduces a layer by the kernel that adds up attention without forming it, given the log-sum-exp of its rows; false where the kernel does not do it: elsewhere
// than on CUDA, in float32, and for maps whose cells are no whole tiles.
func (c *collector) byKernel(lse *Node) bool {
	site := c.site
	d := site.Query.Shape().Dimensions
	if len(site.Keys) != 1 || d[2] != site.NumKeys() || site.Phase != attention.Prefill || c.measures.Has(Shapes) && c.group%kernel.CellTokens != 0 {
		return false
	}
	w := kernel.Wanted{Form: kernel.Form{Scale: site.Scale, Softcap: site.Softcap, Window: site.Window},
		Rows: c.measures.Has(Rows), Local: c.window, Cells: c.measures.Has(Shapes)}
	if site.Sinks != nil {
		w.Share = rowShare(site, lse)
	}
	if c.measures.Has(Masks) {
		w.Tau = c.tau
		if site.Index > 0 {
			first := attention.KeptLayer(site, keptSource)
			w.Source = &kernel.Source{Form: kernel.Form{Scale: first.Scale, Softcap: first.Softcap, Window: first.Window},
				Query: tokensFirst(first.Query), Key: tokensFirst(first.Keys[0]), LSE: c.onlyReal(first.LSE())}
		}
	}
	query, key := tokensFirst(site.Query), tokensFirst(site.Keys[0])
	if kernel.StatisticsAvailable(c.graph().Backend(), query.Shape(), key.Shape(), w) != nil {
		return false
	}
	s := kernel.Statistics(query, key, c.onlyReal(lse), w)
	sums := map[string]*Node{nameEntropy: s.Entropy, nameDistance: s.Distance, nameLocal: s.Local, nameMarked: s.Marked, nameShared: s.Shared}
	if w.Rows && s.Distance == nil {
		sums[nameDistance] = c.distance(s.Columns)
	}
	var cells *Node
	if w.Cells {
		cells = c.joinTiles(s.Cells)
	}
	c.putSums(lse, s.Columns, cells, sums)
	return true
}

// onlyReal is a log-sum-exp, [batch, heads, queries], with that of padding so large that its rows' probabilities are 0.
func (c *collector) onlyReal(lse *Node) *Node {
	if c.valid == nil {
		return lse
	}
	return Add(lse, MulScalar(OneMinus(c.valid), 1e30))
}

// rowShare is the logarithm of what a learned sink leaves of each row: of the row's whole it has exp(sink - LSE).
func rowShare(site *attention.Site, lse *Node) *Node {
	return Log(MaxScalar(OneMinus(Exp(Sub(Reshape(site.Sinks, 1, -1, 1), lse))), tiny))
}

// joinTiles turns sums over tiles of each head into the cells of maps averaged over heads: [batch, heads, tiles, tiles] -> [batch, groups, cells].
func (c *collector) joinTiles(tiles *Node) *Node {
	x := ReduceMean(tiles, 1)
	per := c.group / kernel.CellTokens
	n := (x.Shape().Dimensions[2] + per - 1) / per
	x = padAxis(padAxis(x, 1, n*per, 0), 2, n*per, 0)
	return ReduceSum(Reshape(x, -1, n, per, n, per), 2, 4)
}

// tokensFirst swaps [batch, heads, tokens, dim] and [batch, tokens, heads, dim].
func tokensFirst(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 1, 3) }
