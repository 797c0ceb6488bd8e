package sink

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

// observer reduces every layer's attention on the device. Its fields are all that the graph depends on.
type observer struct {
	measures Measures
	tau      float64 // threshold of Masks
	window   int     // of the local mass
	late     int     // first query of the late mass on position 0
	group    int     // query rows and keys in one cell of a binned map
	rows     int     // query rows of a tile, 0 = automatic
	padded   bool    // the batch has prompts of differing lengths, or padding
}

func (o observer) Key() string { return fmt.Sprintf("observe %+v", o) }

func (o observer) Attach(run *model.Run) func(*model.Site) {
	c := &collector{observer: o, run: run, layers: map[string][]*Node{}, weights: map[weightKey]*Node{}}
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
	weights map[weightKey]*Node
	source  []sourceTile     // layer 0's masks, tile by tile
	sums    map[string]*Node // of the layer under way: sums over rows, [batch, heads]
	columns *Node            // [batch, heads, keys]
	cells   []*Node          // [batch, groups, cells], tile by tile
}

// put adds a layer's statistic, [batch, ...]; when the last layer has given it, it is emitted as [layers, batch, ...].
func (c *collector) put(name string, value *Node) {
	c.layers[name] = append(c.layers[name], value)
	if len(c.layers[name]) == c.run.Config.Layers {
		c.run.Emit(emittedName(name), Stack(c.layers[name], 0))
	}
}

func emittedName(name string) string { return "sink." + name }

func (c *collector) visit(site *model.Site) {
	d := site.Query.Shape().Dimensions
	batch, heads, tokens := d[0], d[1], d[2]
	rows := c.rows
	if rows == 0 {
		rows = rowBlock(batch, heads, tokens, c.group)
	}
	fromProbs := site.FormsProbs() && (c.rows == 0 || site.Rewritten())
	c.sums, c.columns, c.cells = map[string]*Node{}, nil, nil
	for i, at := range spans(tokens, rows) {
		var t *tile
		if fromProbs {
			t = tileFromProbs(site, at, c.valid)
		} else {
			t = tileFromQueries(site, at, c.valid)
		}
		c.received(t, tokens)
		if c.measures.Has(Rows) {
			c.rowMeasures(t)
		}
		if c.measures.Has(Masks) {
			c.masks(site, t, i)
		}
	}
	c.putReceived(tokens)
	if c.measures.Has(Rows) {
		for _, name := range rowNames {
			queries := c.lengths
			if name == nameLate {
				queries = MaxScalar(AddScalar(queries, -float64(c.late)), 1.0)
			}
			c.put(name, Div(c.sums[name], queries))
		}
	}
	if c.measures.Has(Masks) {
		c.put(nameMarked, c.sums[nameMarked])
		c.put(nameShared, c.sums[nameShared])
	}
	if c.measures.Has(Norms) {
		c.put(nameKeyNorm, norm(site.Keys[0]))
		c.put(nameValueNorm, norm(site.Values[0]))
	}
}

// addRows adds a tile's values of each row, [batch, heads, rows], to the layer's sum over real rows.
func (c *collector) addRows(name string, t *tile, values *Node) {
	if t.valid != nil {
		values = Mul(values, t.valid)
	}
	sum := ReduceSum(values, -1)
	if before := c.sums[name]; before != nil {
		sum = Add(before, sum)
	}
	c.sums[name] = sum
}

// weightKey names weights that every layer's tile of one place shares.
type weightKey struct {
	name  string
	start int
}

// weight returns weights over a tile, float32 [batch, heads, rows, keys], made by f as [rows, keys] the first time.
func (c *collector) weight(name string, t *tile, f func() *Node) *Node {
	k := weightKey{name, t.start}
	if c.weights[k] == nil {
		c.weights[k] = BroadcastToDims(InsertAxes(ConvertDType(f(), dtypes.Float32), 0, 0), t.probs.Shape().Dimensions...)
	}
	return c.weights[k]
}
