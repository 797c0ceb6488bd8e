package sink

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention"
)

// observer reduces every layer's attention on the device. Its fields are all that the graph depends on.
type observer struct {
	measures  Measures
	tau       float64 // threshold of Masks
	window    int     // of the local mass
	late      int     // first query of the late mass on position 0
	group     int     // query rows and keys in one cell of a binned map
	blockRows int     // tokens of a block, 0 = automatic
	padded    bool    // the batch has prompts of differing lengths, or padding
}

func (o observer) Visit(l attention.Layer) *attention.Visit {
	v := &attention.Visit{Key: fmt.Sprintf("observe %+v first=%t", o, l.Index == 0), Build: func(site *attention.Site) { o.at(site).visit() }}
	if o.measures&(Norms|Massive) != 0 {
		v.Residual = func(site *attention.Site, x *Node) { o.at(site).residual(x) }
	}
	return v
}

// at is the observer at a layer.
func (o observer) at(site *attention.Site) *collector {
	c := &collector{observer: o, site: site, lengths: InsertAxes(ConvertDType(site.Lengths, dtypes.Float32), -1)}
	if o.padded {
		c.valid = InsertAxes(attention.Valid(site), 1)
	}
	return c
}

// collector reduces one layer.
type collector struct {
	observer
	site    *attention.Site
	valid   *Node // [batch, 1, queries]
	lengths *Node // float32 [batch, 1]
}

func (c *collector) graph() *Graph { return c.site.Query.Graph() }

// put emits a layer's statistic, [batch, ...].
func (c *collector) put(name string, value *Node) { c.site.Emit(emittedName(name), value) }

func emittedName(name string) string { return "sink." + name }

// keptSource is layer 0, which the masks of the others are compared with: by its operands, or by its marks.
const (
	keptSource = "sink.source"
	keptMarks  = "sink.marks" // see marks
	keptOwn    = "sink.own"   // those on the diagonal, float32 [batch, heads, queries]
)

func (c *collector) visit() {
	site := c.site
	lse := site.LSE()
	if lse == nil && (c.blockRows > 0 || attention.TooLarge(site)) {
		lse = attention.RowsLSE(site)
	}
	switch {
	case lse != nil && c.blockable() && c.byKernel(lse):
	case lse != nil && c.blockable():
		c.inBlocks(lse)
	default:
		c.whole()
	}
	if c.measures.Has(Norms) {
		c.put(nameKeyNorm, norm(site.Keys[0]))
		c.put(nameValueNorm, norm(site.Values[0]))
	}
}

// blockable reports whether the layer can be reduced by blocks: not where its masks are compared with those of a layer 0 that is known by its marks only.
func (c *collector) blockable() bool {
	return !c.measures.Has(Masks) || c.site.Index == 0 || c.site.Kept(keptSource+".query") != nil
}

// whole reduces a layer that forms its probabilities. Who reads them as a square comes first: see square.as.
func (c *collector) whole() {
	a := squareOf(c.site, c.valid)
	if c.measures&(Rows|Masks) != 0 {
		a.near = band(a.square(), min(c.window, a.tokens))
	}
	if c.measures.Has(Masks) {
		marks, own := c.marks(a)
		marked, shared := c.masks(a, marks, own)
		c.put(nameMarked, marked)
		c.put(nameShared, shared)
	}
	var first *Node
	if c.measures.Has(Rows) {
		first = a.first()
	}
	group := a.tokens
	if c.measures.Has(Shapes) {
		group = c.group
	}
	groups := a.columns(group)
	columns := a.sumGroups(groups)
	c.putReceived(columns)
	if c.measures.Has(Shapes) {
		c.put(nameCells, c.bin(groups, a.tokens))
	}
	if c.measures.Has(Rows) {
		c.putRows(c.rows(a, first, columns))
	}
	if !attention.Rewritten(c.site) {
		attention.PassOn(c.site, a.square())
	}
}

// sumRows adds up the real queries' values, [batch, heads, queries] -> [batch, heads].
func (c *collector) sumRows(values *Node) *Node {
	if c.valid != nil {
		values = Mul(values, c.valid)
	}
	return ReduceSum(values, -1)
}
