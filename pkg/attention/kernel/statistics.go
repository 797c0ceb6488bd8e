package kernel

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/customcall"
	"github.com/attune-lab/attune/pkg/triton"
)

// Form is how a layer makes scores of products of queries and keys: see Options.
type Form struct {
	Scale, Softcap float64
	Window         int
}

// Wanted says what Statistics adds up beside what each key receives. With p[i,j] = exp(s[i,j] - LSE[i]):
type Wanted struct {
	Form           // of the layer
	Share  *Node   // float32 [batch, heads, tokens]: where learned sinks take part, the logarithm of what they leave of each row; nil elsewhere
	Rows   bool    // Entropy, Local and, with a Share, Distance
	Local  int     // keys that Local looks at, the query's own included
	Cells  bool    // Cells
	Tau    float64 // Marked, and with a Source Shared; 0 = neither
	Source *Source
}

// Source is another layer of the same dimensions, whose marks are compared with this one's.
type Source struct {
	Form
	Query, Key *Node
	LSE        *Node
}

// Sums are what Statistics gives, all float32, sums over the queries that are there. What was not asked for is nil.
type Sums struct {
	Columns  *Node // [batch, heads, tokens]: of each key, sum_i p[i,j]
	Entropy  *Node // [batch, heads]: -sum p log p, in nats, of rows brought to sum 1
	Distance *Node // [batch, heads]: sum p (i-j) of rows brought to sum 1; without a Share Columns say it
	Local    *Node // [batch, heads]: sum of p where i-j < Local
	Marked   *Node // [batch, heads]: how many p[i,j], i > j, are above Tau
	Shared   *Node // [batch, heads]: of them, those that the source has above Tau too
	Cells    *Node // [batch, heads, tiles of queries, tiles of keys]: sums of p over tiles of CellTokens
}

// CellTokens is how many queries and keys a tile of Sums.Cells has.
const CellTokens = 64

// Statistics adds up a layer's causal attention without forming it, in one pass that forms the scores again. lse is the log-sum-exp of the rows' scores, float32 [batch,
// heads, tokens], 1e30 for rows that do not count. Queries and keys are as in Attention. Of a graph over several devices each adds up its own heads. It panics, as
// graph-building code does, where StatisticsAvailable returns false, and has no gradient.
func Statistics(query, key, lse *Node, w Wanted) Sums {
	if !byHeads(query, key) {
		return addUp(query, key, lse, w)
	}
	var p pieces
	q, k, l, share := p.cut(query, 2), p.cut(key, 2), p.cut(lse, 1), p.cut(w.Share, 1)
	var sourceQuery, sourceKey, sourceLSE int
	if s := w.Source; s != nil {
		sourceQuery, sourceKey, sourceLSE = p.cut(s.Query, 2), p.cut(s.Key, 2), p.cut(s.LSE, 1)
	}
	var sums Sums
	fields := func() []**Node {
		return []**Node{&sums.Columns, &sums.Entropy, &sums.Distance, &sums.Local, &sums.Marked, &sums.Shared, &sums.Cells}
	}
	byHead := []int{1, 1, 1, 1, 1, 1, 1}
	results := customcall.PerDevice(p.operands, byHead, func(of []*Node) (given []*Node) {
		w := w
		w.Share = at(of, share)
		if w.Source != nil {
			s := *w.Source
			s.Query, s.Key, s.LSE = of[sourceQuery], of[sourceKey], of[sourceLSE]
			w.Source = &s
		}
		sums = addUp(of[q], of[k], of[l], w)
		for _, field := range fields() {
			if *field != nil {
				given = append(given, *field)
			}
		}
		return given
	})
	for _, field := range fields() {
		if *field != nil {
			*field, results = results[0], results[1:]
		}
	}
	return sums
}

// addUp is Statistics on one device.
func addUp(query, key, lse *Node, w Wanted) Sums {
	if err := check(query.Shape(), key.Shape()); err != nil {
		panic(err)
	}
	d := query.Shape().Dimensions
	batch, tokens, heads := d[0], d[1], d[2]
	f := statistics{Type: types[query.DType()], Tokens: tokens, Heads: heads, Group: heads / key.Shape().Dimensions[2], Dim: d[3], Form: w.Form,
		Rows: w.Rows, Local: w.Local, Cells: w.Cells, Tau: w.Tau, HasSinks: w.Rows && w.Share != nil}
	f.cut()
	rows := func(what string, x *Node) *Node { return expect(what, x, dtypes.Float32, batch, heads, tokens) }
	operands := []*Node{query, key, rows("log-sum-exps", lse)}
	if f.HasSinks {
		operands = append(operands, rows("shares", w.Share))
	}
	if s := w.Source; s != nil && w.Tau > 0 {
		f.Sourced, f.SourceForm = true, s.Form
		operands = append(operands, expect("the source's queries", s.Query, query.DType(), d...), expect("the source's keys", s.Key, query.DType(), key.Shape().Dimensions...),
			rows("the source's log-sum-exps", s.LSE))
	}
	g := query.Graph()
	tiles := (tokens + f.Keys - 1) / f.Keys
	like := func(dims ...int) *Node {
		return Zeros(g, shapes.Make(dtypes.Float32, append([]int{batch, heads}, dims...)...))
	}
	results := []*Node{like(tokens)}
	for range f.Sums()[1:] {
		results = append(results, like(tiles))
	}
	if f.Cells {
		results = append(results, like(f.QueryTiles(), tiles))
	}
	k := triton.Kernel{Name: "statistics", IR: f.text(), Grid: [3]int{heads, tiles, batch}, Warps: f.warps, Stages: f.stages}
	results = k.Call(results, operands...)
	var out Sums
	for i, name := range f.Sums() {
		switch sum := results[i]; name {
		case "columns":
			out.Columns = sum
		case "entropy":
			out.Entropy = MulScalar(ReduceSum(sum, -1), -math.Ln2)
		case "distances":
			out.Distance = ReduceSum(sum, -1)
		case "local":
			out.Local = ReduceSum(sum, -1)
		case "marked":
			out.Marked = ReduceSum(sum, -1)
		case "shared":
			out.Shared = ReduceSum(sum, -1)
		}
	}
	if f.Cells { // what no program has written is whatever it was
		cells := results[len(results)-1]
		i, j := positions(cells)
		written := GreaterOrEqual(i, j)
		if w.Window > 0 {
			written = LogicalAnd(written, LessThan(MulScalar(Sub(i, j), f.Queries), Scalar(g, dtypes.Int32, f.FarKeys())))
		}
		out.Cells = Where(written, cells, ZerosLike(cells))
	}
	return out
}

// statisticsKind is what of the kernel's text a Wanted takes.
type statisticsKind struct {
	HasSoftcap, HasWindow, HasSinks bool
	Rows, Cells, Marks, Sourced     bool
	SourceCapped, SourceWindow      bool
	dev                             compute.Backend
	dtype                           dtypes.DType
	dim                             int
}

// StatisticsAvailable reports whether Statistics can add up attention of queries and keys of these shapes: nil, or why not. As with Available the first question of a
// kind is answered by a trial.
func StatisticsAvailable(dev compute.Backend, query, key shapes.Shape, w Wanted) error {
	if err := possible(dev, query, key); err != nil {
		return err
	}
	tokens := query.Dimensions[1]
	windowed := func(f Form) bool { return f.Window > 0 && f.Window < tokens }
	k := statisticsKind{HasSoftcap: w.Softcap > 0, HasWindow: windowed(w.Form), HasSinks: w.Rows && w.Share != nil, Rows: w.Rows, Cells: w.Cells, Marks: w.Tau > 0,
		dev: dev, dtype: query.DType, dim: query.Dimensions[3]}
	if s := w.Source; s != nil && k.Marks {
		k.Sourced, k.SourceCapped, k.SourceWindow = true, s.Softcap > 0, windowed(s.Form)
	}
	return triton.Trial{Device: dev, Text: statisticsIR, Kind: fmt.Sprintf("statistics %+v", k.plain()), SelfTest: k.selfTest}.Outcome(k)
}

// plain is the kind without the device, which is no part of its name.
func (k statisticsKind) plain() statisticsKind { k.dev = nil; return k }

// selfTest compares the kernel with plain operations, as variant.selfTest does.
func (k statisticsKind) selfTest() error {
	const tokens, heads = 200, 2
	var worst float32
	err := exceptions.TryCatch[error](func() {
		worst = tensors.ToScalar[float32](MustExecOnce(k.dev, func(g *Graph) *Node {
			x := trialOperands(g, tokens, heads, k.dim, k.dtype)
			form := func(capped, windowed bool) Form {
				f := Form{Scale: 2 / math.Sqrt(float64(k.dim))}
				if capped {
					f.Softcap = 2
				}
				if windowed {
					f.Window = tokens / 3
				}
				return f
			}
			w := Wanted{Form: form(k.HasSoftcap, k.HasWindow), Rows: k.Rows, Local: 16, Cells: k.Cells}
			lse := plainLSE(x[0], x[1], w.Form)
			if k.HasSinks {
				w.Share = MulScalar(Ones(g, lse.Shape()), -0.5)
			}
			if k.Marks {
				w.Tau = 0.01
			}
			if k.Sourced {
				w.Source = &Source{Form: form(k.SourceCapped, k.SourceWindow), Query: x[3], Key: x[4]}
				w.Source.LSE = plainLSE(x[3], x[4], w.Source.Form)
			}
			return sumsDiffer(x[0], x[1], lse, w)
		}))
	})
	return triton.Judge("attention kernel", worst, err)
}
