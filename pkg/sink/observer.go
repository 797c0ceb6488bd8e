package sink

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
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

func (o observer) Key() string { return fmt.Sprintf("observe %+v", o) }

func (o observer) Attach(run *model.Run) func(*model.Site) {
	c := &collector{observer: o, run: run, layers: map[string][]*Node{}}
	if o.padded {
		c.valid = InsertAxes(ConvertDType(run.QueryValid, dtypes.Float32), 1)
	}
	c.lengths = InsertAxes(ConvertDType(run.Lengths, dtypes.Float32), -1)
	if o.measures&(Norms|Massive) != 0 {
		run.OnResidual(c.residual)
	}
	return c.visit
}

// collector holds what one graph's layers have given so far.
type collector struct {
	observer
	run     *model.Run
	valid   *Node // [batch, 1, queries]
	lengths *Node // float32 [batch, 1]
	layers  map[string][]*Node
	source  source // layer 0, for the overlap of the others' masks with its own
}

// put adds a layer's statistic, [batch, ...]; when the last layer has given it, it is emitted as [layers, batch, ...]. The next layer waits for a statistic that
// is made from much, which need not be kept then; received attention alone is made from little, and waiting cost it a tenth of its speed.
func (c *collector) put(name string, value *Node) {
	if c.measures != 0 {
		c.run.Hold(value)
	}
	c.layers[name] = append(c.layers[name], value)
	if len(c.layers[name]) == c.run.Config.Layers {
		c.run.Emit(emittedName(name), Stack(c.layers[name], 0))
	}
}

func emittedName(name string) string { return "sink." + name }

func (c *collector) visit(site *model.Site) {
	if site.Layer == 0 {
		c.source = source{site: site}
	}
	lse := kernelLSE(site)
	switch {
	case lse != nil && c.measures&(Rows|Masks|Shapes) == 0 && byKeysFits(site):
		c.putReceived(c.columnsByKeys(site, lse))
	case lse != nil && c.blockable():
		c.inBlocks(site, lse)
	case lse == nil && c.blockRows > 0 && scoresLSE(site) != nil && c.blockable():
		c.inBlocks(site, scoresLSE(site))
	default:
		c.whole(site)
	}
	if c.measures.Has(Norms) {
		c.put(nameKeyNorm, norm(site.Keys[0]))
		c.put(nameValueNorm, norm(site.Values[0]))
	}
}

// blockable reports whether layers can be reduced by blocks: not where masks are compared with those of a layer 0 that was rewritten, which are known whole.
func (c *collector) blockable() bool { return !c.measures.Has(Masks) || c.sourceOperands() != nil }

// kernelLSE is the log-sum-exp of a layer's rows, [batch, heads, queries], as its fused kernel gives it; nil where none computes the layer.
func kernelLSE(site *model.Site) *Node {
	if !site.Plain() {
		return nil
	}
	return site.LSE()
}

// scoresLSE is the log-sum-exp of a layer's rows, [batch, heads, queries], from its scores; nil where that does not say what the probabilities are.
func scoresLSE(site *model.Site) *Node {
	if !site.Plain() {
		return nil
	}
	top := ReduceAndKeep(site.Scores(), ReduceMax, -1)
	return Squeeze(Add(top, Log(ReduceAndKeep(Exp(Sub(site.Scores(), top)), ReduceSum, -1))), -1)
}

// whole reduces a layer that forms its probabilities. Who reads them as a square comes first: see attention.as.
func (c *collector) whole(site *model.Site) {
	a := attentionOf(site, c.valid)
	if c.measures&(Rows|Masks) != 0 {
		a.near = band(a.square(), min(c.window, a.tokens))
	}
	if c.measures.Has(Masks) {
		marks, own := c.marks(a)
		marked, shared := c.masks(site.Layer, a, marks, own)
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
	if !site.Rewritten() {
		site.PassOn(a.square())
	}
}

// sumRows adds up the real queries' values, [batch, heads, queries] -> [batch, heads].
func (c *collector) sumRows(values *Node) *Node {
	if c.valid != nil {
		values = Mul(values, c.valid)
	}
	return ReduceSum(values, -1)
}
