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

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/triton"
)

// Available reports whether Attention can compute a kind of attention of queries and keys of these shapes: nil, or why not. The text of the kernel is read by
// whatever compiler the plugin carries, so the first question of a kind compiles a small case and compares it with the same attention in plain operations; that
// takes a second, and success is remembered in the cache folder.
func Available(dev compute.Backend, query, key shapes.Shape, k Kind) error {
	if err := possible(dev, query, key); err != nil {
		return err
	}
	v := variant{k, dev, query.DType, query.Dimensions[3]}
	return triton.Trial{Device: dev, Text: attentionIR, Kind: fmt.Sprintf("%+v %s %d", k, v.dtype, v.dim), SelfTest: v.selfTest}.Outcome(v)
}

// possible says what keeps any kernel from taking queries and keys of these shapes.
func possible(dev compute.Backend, query, key shapes.Shape) error {
	if !backend.IsCUDA(dev) {
		return fmt.Errorf("attention kernel: it needs xla:cuda, this is %s", dev.Name())
	}
	return check(query, key)
}

// variant is a kernel that is compiled differently.
type variant struct {
	Kind
	dev   compute.Backend
	dtype dtypes.DType
	dim   int
}

// selfTest compares the kernel with plain operations: two heads that share keys, more than a tile of tokens and no whole number of them.
func (v variant) selfTest() error {
	const tokens, heads, tau = 200, 2, 0.01
	var worst float32
	err := exceptions.TryCatch[error](func() {
		worst = tensors.ToScalar[float32](MustExecOnce(v.dev, func(g *Graph) *Node {
			x := trialOperands(g, tokens, heads, v.dim, v.dtype)
			o := Options{Scale: 2 / math.Sqrt(float64(v.dim))}
			if v.HasSoftcap {
				o.Softcap = 2
			}
			if v.HasWindow {
				o.Window = tokens / 3
			}
			if v.HasSinks {
				o.Sinks = Ones(g, shapes.Make(dtypes.Float32, heads))
			}
			mask, limit, near := above(x[3], x[4], o.Scale, tau)
			if v.Gained() {
				o.Gain = &Gain{Values: AddScalar(Ones(g, shapes.Make(dtypes.Float32, heads)), 1), Mask: Mask{Query: x[3], Key: x[4], Limit: limit}}
			}
			if v.ByBits {
				o.Gain.Mask = Mask{Bits: Pack(mask, tokens)}
			}
			return differ(x[0], x[1], x[2], o, mask, near)
		}))
	})
	return triton.Judge("attention kernel", worst, err)
}

// differ is the relative distance of Attention's results from those in plain operations, the larger one where there are two. Rows that are near a limit are left out,
// as inPlain may be on the other side of it. Operands must come from behind a barrier: XLA leaves out their rounding to half precision for plain operations.
func differ(query, key, value *Node, o Options, mask, near *Node) *Node {
	far := OneMinus(near)
	norm := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(x))) }
	relative := func(got, want, rows *Node) *Node {
		return Div(norm(Mul(rows, Sub(ConvertDType(got, dtypes.Float32), want))), norm(Mul(rows, want)))
	}
	out, lse := Attention(query, key, value, o)
	want, wantLSE := inPlain(query, key, value, o, mask)
	worst := relative(out, want, InsertAxes(TransposeAllAxes(far, 0, 2, 1), -1))
	if lse != nil {
		worst = Max(worst, relative(lse, wantLSE, far))
	}
	return worst
}
