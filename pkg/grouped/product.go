package grouped

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/triton"
)

// Segments are places in the order of their groups.
type Segments struct {
	Index          *Node // int32 [places]: the row at each place; nil: there is a row for each place
	Starts, Counts *Node // int32 [groups]: each group's first place, and how many places it has
}

// Product multiplies the row at each place with the matrix of its group: x bfloat16 [rows, in] -> bfloat16 [places, out]. Sums are float32. It panics, as graph-building
// code does, where Available returns an error, and has no gradient.
func Product(x *Node, s Segments, w Weights) *Node {
	f, err := fillOf(x, s, w)
	if err != nil {
		panic(err)
	}
	return f.call(x, s, w)
}

func (f fill) call(x *Node, s Segments, w Weights) *Node {
	operands := []*Node{x, f.table(s)}
	for _, o := range []*Node{s.Index, w.Matrices, w.Up, w.Bias} {
		if o != nil {
			operands = append(operands, o)
		}
	}
	like := Zeros(x.Graph(), shapes.Make(dtypes.BFloat16, f.Places, f.Width()))
	k := triton.Kernel{Name: "grouped_product", IR: f.text(), Grid: [3]int{f.Tiles() * f.ColumnTiles(), 1, 1}, Warps: f.warps, Stages: f.stages}
	return k.Call([]*Node{like}, operands...)[0]
}

// table says what each tile of places is: int32 [3, tiles], its group, its first place and the place behind its group's last one. Tiles that no group needs come last and
// have no places.
func (f fill) table(s Segments) *Node {
	g, tiles := s.Starts.Graph(), f.Tiles()
	integers := func(x *Node) *Node { return ConvertDType(x, dtypes.Int32) }
	needed := DivScalar(AddScalar(s.Counts, f.Rows-1), f.Rows) // tiles of each group
	square := shapes.Make(dtypes.Int32, f.Groups, f.Groups)
	upTo := integers(LessOrEqual(Iota(g, square, 1), Iota(g, square, 0)))
	ends := ReduceSum(Mul(upTo, InsertAxes(needed, 0)), 1) // of each group and of those before it
	each := shapes.Make(dtypes.Int32, tiles, f.Groups)
	passed := integers(LessOrEqual(BroadcastToDims(InsertAxes(ends, 0), tiles, f.Groups), Iota(g, each, 0)))
	group := MinScalar(ReduceSum(passed, 1), f.Groups-1)
	own := integers(Equal(BroadcastToDims(InsertAxes(group, -1), tiles, f.Groups), Iota(g, each, 1)))
	of := func(mask, x *Node) *Node { return ReduceSum(Mul(mask, InsertAxes(x, 0)), 1) } // [groups] -> [tiles]
	tile := Iota(g, shapes.Make(dtypes.Int32, tiles), 0)
	before := MulScalar(Sub(tile, of(passed, needed)), f.Rows)
	starts, counts := of(own, s.Starts), of(own, s.Counts)
	none, nowhere := GreaterOrEqual(tile, ReduceAllSum(needed)), AddScalar(ZerosLike(starts), f.Places)
	return Stack([]*Node{group, Where(none, nowhere, Add(starts, before)), Where(none, nowhere, Add(starts, counts))}, 0)
}

//go:embed product.mlir
var productIR string

var productText = template.Must(template.New("product.mlir").Parse(productIR))

// tile is how the work is cut: a program's rows and columns, the inputs that it takes at a time, tiles of rows that share columns, warps of 32 threads and stages of
// the pipeline that loads the inputs to come.
type tile struct{ Rows, Columns, Step, Band, warps, stages int }

// tileOf is the fastest of those tried on an H200 at 4,096 tokens, of 64 to 256 rows and 64 to 256 columns, 32 and 64 inputs, bands of 4 to 16, 4 and 8 warps and 3 and 4
// stages.
func tileOf(k kind) tile {
	t := tile{Rows: 128, Columns: 256, Step: 64, Band: 8, warps: 8, stages: 4}
	if !k.Indexed { // a second product, whose rows lie beside each other
		t.Band = 4
	}
	return t
}

// fill is what product.mlir is filled in with.
type fill struct {
	tile
	sizes
	Size string // of a part of the text: which types of tiles it has
}

func (f fill) Whole() fill   { f.Size = "Whole"; return f }
func (f fill) Half() fill    { f.Size, f.Rows = "Half", f.HalfRows(); return f }
func (f fill) HalfRows() int { return f.Rows / 2 }

// fillOf says how a product is filled in, or what keeps the kernel from computing it.
func fillOf(x *Node, s Segments, w Weights) (fill, error) {
	k := w.kind(s.Index != nil)
	f := fill{tile: tileOf(k)}
	places := x.Shape().Dimensions[0]
	if s.Index != nil {
		places = s.Index.Shape().Size()
	}
	var err error
	if f.sizes, err = sizesOf(x, places, k, w); err != nil {
		return f, err
	}
	if err := expect([]operand{{"the index", s.Index, dtypes.Int32, []int{f.Places}}, {"starts", s.Starts, dtypes.Int32, []int{f.Groups}}, {"counts", s.Counts, dtypes.Int32, []int{f.Groups}}}); err != nil {
		return f, err
	}
	if f.In%f.Step != 0 || f.walked() < f.Columns || f.Out%16 != 0 {
		return f, fmt.Errorf("grouped product: matrices of %d inputs and %d outputs: it takes multiples of %d and of 16, from %d outputs on", f.In, f.Out, f.Step, f.Columns*f.Out/f.walked())
	}
	return f, nil
}

func (f fill) text() string {
	var b strings.Builder
	if err := productText.Execute(&b, f); err != nil {
		exceptions.Panicf("product.mlir: %v", err)
	}
	return b.String()
}

// Tiles is how many tiles of places there may be, however they fall into groups.
func (f fill) Tiles() int        { return f.Places/f.Rows + min(f.Groups, f.Places) }
func (f fill) ColumnTiles() int  { return (f.walked() + f.Columns - 1) / f.Columns }
func (f fill) LastColumns() int  { return f.walked() - f.Columns }
func (f fill) BandPrograms() int { return f.Band * f.ColumnTiles() }

// Width is that of the result; StoredColumns and LastStored are Columns and LastColumns of it.
func (f fill) Width() int         { return f.results(f.walked()) }
func (f fill) StoredColumns() int { return f.results(f.Columns) }
func (f fill) LastStored() int    { return f.results(f.LastColumns()) }

// walked is how many columns programs go through: two matrices' alternate.
func (f fill) walked() int {
	if f.Gated {
		return 2 * f.Out
	}
	return f.Out
}

// results is how many columns of the result come from so many of the product.
func (f fill) results(columns int) int {
	if f.Paired() {
		return columns / 2
	}
	return columns
}

// OffsetBits is the width of offsets in matrices: those of two buffers may lie far from each other.
func (f fill) OffsetBits() int {
	if f.Gated {
		return 64
	}
	return 32
}

// Sum and Result are the names of values.
func (f fill) Sum() string {
	if f.Biased {
		return "%biased"
	}
	return "%sums"
}

func (f fill) Result() string {
	if f.Paired() {
		return "%result"
	}
	return f.Sum()
}

// ColumnAt is where a program's first column starts in its matrix.
func (f fill) ColumnAt() string {
	if f.OutIn {
		return "%columnAt"
	}
	return "%column"
}
