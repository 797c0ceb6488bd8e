package grouped

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/triton"
)

// Weights are a matrix for each group, and what is computed with them.
type Weights struct {
	Matrices *Node // bfloat16 [groups, in, out], or with OutIn [groups, out, in]
	OutIn    bool
	Bias     *Node // bfloat16 [groups, out]; nil = none

	// At most one of the following; without them the result is the product.
	Up      *Node    // as Matrices, with OutIn: silu(x · Matrices) * (x · Up)
	Clamped *Clamped // columns of gate and up alternate, and the result has half as many
}

// Clamped is gpt-oss' activation (model card, arXiv 2508.10925) of a gate and an up column: with gate = min(gate, Limit) and up = clamp(up, -Limit, Limit),
// (up + 1) * gate * sigmoid(Alpha * gate).
type Clamped struct{ Limit, Alpha float64 }

// kind is what of a kernel's text a product takes.
type kind struct{ Indexed, OutIn, Gated, Biased, Clamped bool }

func (w Weights) kind(indexed bool) kind {
	return kind{Indexed: indexed, OutIn: w.OutIn, Gated: w.Up != nil, Biased: w.Bias != nil, Clamped: w.Clamped != nil}
}

// sizes are those of a product, which kernels' texts are filled in with.
type sizes struct {
	kind
	Places, Groups, In, Out int
	limit, alpha            float64
}

// sizesOf are those of a product of rows with weights for so many places, or what keeps kernels from computing it.
func sizesOf(x *Node, places int, k kind, w Weights) (sizes, error) {
	s := sizes{kind: k, Places: places, alpha: 1}
	if w.Clamped != nil {
		s.limit, s.alpha = w.Clamped.Limit, w.Clamped.Alpha
	}
	m := w.Matrices.Shape()
	if x.Rank() != 2 || m.Rank() != 3 {
		return s, fmt.Errorf("grouped product: rows are %s and matrices %s: expected two axes and three", x.Shape(), m)
	}
	rows, in, out := x.Shape().Dimensions[0], 1, 2
	if w.OutIn {
		in, out = 2, 1
	}
	s.Groups, s.In, s.Out = m.Dimensions[0], m.Dimensions[in], m.Dimensions[out]
	if err := expect([]operand{{"rows", x, dtypes.BFloat16, []int{rows, s.In}}, {"matrices", w.Matrices, dtypes.BFloat16, m.Dimensions},
		{"second matrices", w.Up, dtypes.BFloat16, m.Dimensions}, {"biases", w.Bias, dtypes.BFloat16, []int{s.Groups, s.Out}}}); err != nil {
		return s, err
	}
	switch most := max(rows, s.Places); {
	case s.Gated && (s.Clamped || s.Biased || !s.OutIn):
		return s, fmt.Errorf("grouped product: second matrices are [groups, out, in] and stand beside neither biases nor the activation of alternating columns")
	case most*max(s.In, s.Out) > math.MaxInt32 || s.In*s.Out > math.MaxInt32:
		return s, fmt.Errorf("grouped product: %d rows of %d inputs and %d outputs: offsets do not fit 32 bits", most, s.In, s.Out)
	}
	return s, nil
}

// operand is one of a kernel as it must be; nil where there is none.
type operand struct {
	name  string
	x     *Node
	dtype dtypes.DType
	dims  []int
}

// expect says which operand is not as it must be.
func expect(operands []operand) error {
	for _, o := range operands {
		if want := shapes.Make(o.dtype, o.dims...); o.x != nil && !o.x.Shape().Equal(want) {
			return fmt.Errorf("grouped product: %s are %s, expected %s", o.name, o.x.Shape(), want)
		}
	}
	return nil
}

func (s sizes) Matrix() int { return s.In * s.Out }

// Paired reports whether two columns make one of the result.
func (s sizes) Paired() bool { return s.Gated || s.Clamped }

func (s sizes) Limit() string           { return triton.Constant(s.limit) }
func (s sizes) MinusLimit() string      { return triton.Constant(-s.limit) }
func (s sizes) MinusAlphaLog2E() string { return triton.Constant(-s.alpha * math.Log2E) }
