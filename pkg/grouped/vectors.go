package grouped

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/triton"
)

// VectorProduct multiplies each row with the matrices of its own few groups, for rows so few that reading the matrices is all the work: x bfloat16 [rows, in], groups int32
// [rows*n], a row's n beside each other -> [rows*n, out], bfloat16 behind an activation, else float32. Matrices are read where they lie, once for each place, from device memory
// once for each group. Sums are float32. It may stand in a loop's body. It panics, as graph-building code does, where VectorsAvailable returns an error, and has no
// gradient.
func VectorProduct(x, groups *Node, w Weights) *Node {
	f, err := vectorsOf(x, groups, w)
	if err != nil {
		panic(err)
	}
	return f.call(x, groups, w)
}

// VectorsAvailable is Available for VectorProduct.
func VectorsAvailable(x, groups *Node, w Weights) error {
	if err := onOneGPU(x.Graph()); err != nil {
		return err
	}
	f, err := vectorsOf(x, groups, w)
	if err != nil {
		return err
	}
	v := vectorVariant{f.kind, f.vectorTile, f.Ragged(), x.Graph().Backend()}
	return triton.Trial{Device: v.dev, Text: vectorsIR, Kind: fmt.Sprintf("vector product %+v %+v %t", v.kind, v.tile, v.ragged), SelfTest: v.selfTest}.Outcome(v)
}

// vectorVariant is a kernel that is compiled differently.
type vectorVariant struct {
	kind
	tile   vectorTile
	ragged bool
	dev    compute.Backend
}

// selfTest compares the kernel with plain operations.
func (v vectorVariant) selfTest() error {
	var worst float32
	err := exceptions.TryCatch[error](func() {
		worst = tensors.ToScalar[float32](MustExecOnce(v.dev, func(g *Graph) *Node {
			x, groups, w := v.operands(g)
			f, err := vectorsOf(x, groups, w)
			if err != nil {
				panic(err)
			}
			return distance(f.call(x, groups, w), vectorsInPlain(x, groups, w))
		}))
	})
	return triton.Judge("vector product", worst, err)
}

// operands of the trial: two groups for each of three rows and, where tiles are wide, columns that are no whole ones.
func (v vectorVariant) operands(g *Graph) (x, groups *Node, w Weights) {
	in := 3 * v.tile.Step
	if v.ragged {
		in -= 16
	}
	return vectorOperands(g, v.kind, []int32{3, 1, 0, 3, 1, 3}, 2, 4, in, (2*v.tile.Columns+31)/16*16)
}

// vectorOperands are noise, as operands are: a row has so many groups.
func vectorOperands(g *Graph, k kind, groups []int32, each, matrices, in, out int) (x, of *Node, w Weights) {
	return noise(g, 1, len(groups)/each, in), Const(g, groups), weightsOf(g, k, matrices, in, out)
}

//go:embed vectors.mlir
var vectorsIR string

var vectorsText = template.Must(template.New("vectors.mlir").Parse(vectorsIR))

// vectorTile is how the work is cut: a program's columns, the inputs that it takes at a time, parts of the inputs that programs of their own add up, warps of 32 threads, and
// stages of the pipeline that loads the blocks to come, 0 for none.
type vectorTile struct{ Columns, Step, Parts, warps, Stages int }

// vectorTileOf is the fastest of those tried on an H200.
func vectorTileOf(k kind) vectorTile {
	switch {
	case k.Gated:
		return vectorTile{Columns: 4, Step: 1024, Parts: 1, warps: 4, Stages: 3}
	case k.OutIn:
		return vectorTile{Columns: 8, Step: 512, Parts: 1, warps: 2, Stages: 4}
	case k.Clamped:
		return vectorTile{Columns: 64, Step: 128, Parts: 1, warps: 8, Stages: 3}
	}
	return vectorTile{Columns: 64, Step: 128, Parts: 2, warps: 8, Stages: 3}
}

// vectors is what vectors.mlir is filled in with.
type vectors struct {
	vectorTile
	sizes
	Shared int // places of a row
}

// vectorsOf says how a product is filled in, or what keeps the kernel from computing it.
func vectorsOf(x, groups *Node, w Weights) (vectors, error) {
	k := w.kind(false)
	f := vectors{vectorTile: vectorTileOf(k)}
	var err error
	if f.sizes, err = sizesOf(x, groups.Shape().Size(), k, w); err != nil {
		return f, err
	}
	if err := expect([]operand{{"groups", groups, dtypes.Int32, []int{f.Places}}}); err != nil {
		return f, err
	}
	rows := x.Shape().Dimensions[0]
	switch f.Shared = f.Places / rows; {
	case f.Places%rows != 0:
		return f, fmt.Errorf("vector product: %d groups of %d rows: expected as many of each", f.Places, rows)
	case f.In%16 != 0 || f.Out < f.Columns || f.Out%16 != 0:
		return f, fmt.Errorf("vector product: matrices of %d inputs and %d outputs: it takes multiples of 16, from %d outputs on", f.In, f.Out, f.Columns)
	}
	return f, nil
}

func (f vectors) call(x, groups *Node, w Weights) *Node {
	operands := []*Node{x, groups, w.Matrices}
	for _, o := range []*Node{w.Up, w.Bias} {
		if o != nil {
			operands = append(operands, o)
		}
	}
	dtype := dtypes.Float32
	if f.Paired() {
		dtype = dtypes.BFloat16
	}
	// A constant of its own: in a loop's body XLA's builder (go-xla v0.4.5) refuses one that the main function made.
	like := BroadcastToDims(ConstAsDType(x.Graph(), dtype, 0), f.Places, f.Parts, f.Width())
	grid := [3]int{f.Places, (f.Out + f.Columns - 1) / f.Columns, f.Parts}
	y := triton.Kernel{Name: "vector_product", IR: f.text(), Grid: grid, Warps: f.warps, Stages: max(f.Stages, 1)}.Call([]*Node{like}, operands...)[0]
	if f.Parts == 1 {
		return Reshape(y, f.Places, f.Width())
	}
	return ReduceSum(y, 1)
}

func (f vectors) text() string {
	var b strings.Builder
	if err := vectorsText.Execute(&b, f); err != nil {
		exceptions.Panicf("vectors.mlir: %v", err)
	}
	return b.String()
}

// Ragged reports whether the last block of inputs, of all or of a part, is not whole.
func (f vectors) Ragged() bool { return f.In%f.Step != 0 }

// PartIns is how many inputs a part has: whole blocks.
func (f vectors) PartIns() int { return (f.In + f.Parts*f.Step - 1) / (f.Parts * f.Step) * f.Step }

// InAxis and ColumnAxis are those of a block; Block, Ins and Outs are dimensions of a block, of its inputs and of its columns.
func (f vectors) InAxis() int { return 1 - f.ColumnAxis() }
func (f vectors) ColumnAxis() int {
	if f.OutIn {
		return 0
	}
	return 1
}
func (f vectors) Block() string { return f.across(f.Step, f.Columns) }
func (f vectors) Ins() string   { return f.across(f.Step, 1) }
func (f vectors) Outs() string  { return f.across(1, f.Columns) }

func (f vectors) across(ins, columns int) string {
	if f.OutIn {
		return fmt.Sprintf("%dx%d", columns, ins)
	}
	return fmt.Sprintf("%dx%d", ins, columns)
}

func (f vectors) LastColumns() int { return f.Out - f.Columns }

// Width is that of the result; StoredColumns and LastStored are Columns and LastColumns of it.
func (f vectors) Width() int         { return f.results(f.Out) }
func (f vectors) StoredColumns() int { return f.results(f.Columns) }
func (f vectors) LastStored() int    { return f.results(f.LastColumns()) }

// results is how many columns of the result come from so many of the matrices.
func (f vectors) results(columns int) int {
	if f.Clamped {
		return columns / 2
	}
	return columns
}

// Type is that of the result; Gate and Result are the names of values.
func (f vectors) Type() string {
	if f.Paired() {
		return "bf16"
	}
	return "f32"
}

func (f vectors) Gate() string {
	switch {
	case f.Clamped:
		return "%gate"
	case f.Biased:
		return "%biased"
	}
	return "%y"
}

func (f vectors) Result() string {
	switch {
	case f.Paired():
		return "%result"
	case f.Biased:
		return "%biased"
	}
	return "%y"
}
