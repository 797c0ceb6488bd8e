package grouped

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/customcall"
	"github.com/attune-lab/attune/pkg/triton"
)

// Available reports whether Product can compute these operands: nil, or why not. The first question of a kind compiles a small case and compares it with plain operations;
// that takes a second, and success is remembered in the cache folder.
func Available(x *Node, s Segments, w Weights) error {
	if err := onOneGPU(x.Graph()); err != nil {
		return err
	}
	f, err := fillOf(x, s, w)
	if err != nil {
		return err
	}
	dev := x.Graph().Backend()
	v := variant{f.kind, dev}
	return triton.Trial{Device: dev, Text: productIR, Kind: fmt.Sprintf("grouped product %+v %+v", f.kind, f.tile), SelfTest: v.selfTest}.Outcome(v)
}

// onOneGPU says what keeps a graph from running kernels.
func onOneGPU(g *Graph) error {
	if dev := g.Backend(); !backend.IsCUDA(dev) {
		return fmt.Errorf("grouped product: it needs xla:cuda, this is %s", dev.Name())
	}
	if n := customcall.Devices(g); n > 1 {
		return fmt.Errorf("grouped product: it runs on one device, this graph on %d: each would compute the whole", n)
	}
	return nil
}

// variant is a kernel that is compiled differently.
type variant struct {
	kind
	dev compute.Backend
}

// selfTest compares the kernel with plain operations: four groups, one of them empty, and tiles of rows and columns that are not whole.
func (v variant) selfTest() error {
	t := tileOf(v.kind)
	var worst float32
	err := exceptions.TryCatch[error](func() {
		worst = tensors.ToScalar[float32](MustExecOnce(v.dev, func(g *Graph) *Node {
			x, s, w := operands(g, v.kind, []int{t.Rows + 5, 0, 3, 2 * t.Rows}, 3*t.Step, t.Columns+16)
			return distance(Product(x, s, w), inPlain(x, s, w))
		}))
	})
	return triton.Judge("grouped product", worst, err)
}

// operands of a product whose groups have so many places.
func operands(g *Graph, k kind, counts []int, in, out int) (*Node, Segments, Weights) {
	var starts, sizes, index []int32
	places := 0
	for _, n := range counts {
		starts, sizes = append(starts, int32(places)), append(sizes, int32(n))
		places += n
	}
	s := Segments{Starts: Const(g, starts), Counts: Const(g, sizes)}
	rows := places
	if k.Indexed {
		rows = (places + 1) / 2
		for p := range places {
			index = append(index, int32(p*7919%rows))
		}
		s.Index = Const(g, index)
	}
	return noise(g, 1, rows, in), s, weightsOf(g, k, len(counts), in, out)
}

// weightsOf are those of a kind, of noise.
func weightsOf(g *Graph, k kind, groups, in, out int) Weights {
	matrix := []int{groups, in, out}
	if k.OutIn {
		matrix = []int{groups, out, in}
	}
	w := Weights{Matrices: noise(g, 2, matrix...), OutIn: k.OutIn}
	if k.Gated {
		w.Up = noise(g, 3, matrix...)
	}
	if k.Biased {
		w.Bias = noise(g, 4, groups, out)
	}
	if k.Clamped {
		w.Clamped = &Clamped{Limit: 3, Alpha: 1.702}
	}
	return w
}

// noise stands behind a barrier: XLA leaves out its rounding to half precision for plain operations.
func noise(g *Graph, seed int, dims ...int) *Node {
	return OptimizationBarrier(triton.Noise(g, seed, 0.6, dtypes.BFloat16, dims...))
}
