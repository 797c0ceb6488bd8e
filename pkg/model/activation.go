package model

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

// activation is the nonlinearity of an MLP.
type activation func(x *Node) *Node

// activations by the names that config.json uses.
var activations = map[string]activation{
	"silu":              silu,
	"swish":             silu,
	"gelu":              gelu,
	"gelu_python":       gelu,
	"gelu_new":          geluTanh,
	"gelu_fast":         geluTanh,
	"gelu_pytorch_tanh": geluTanh,
	"relu":              func(x *Node) *Node { return MaxScalar(x, 0.0) },
}

// activation reads the MLP's nonlinearity.
func (f *fields) activation() activation {
	name := f.text("", "hidden_activation", "hidden_act", "activation_function", "activation")
	act := activations[name]
	if act == nil {
		f.fail("the activation %q is not supported, expected one of %s", name, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
	return act
}

// silu is x * sigmoid(x).
func silu(x *Node) *Node { return Mul(x, sigmoid(x)) }

// sigmoid is 1 / (1 + exp(-x)). On the Go backend it is the softmax of the pair (x, 0): the softmax has an exponential of its own, while the operations that
// call math.Exp mix its old-style instructions with what the AVX-512 products of a build with GOEXPERIMENT=simd leave in the registers, at a
// microsecond for each number (compute v0.1.6, Go 1.26), more than all the rest of a small model's step.
func sigmoid(x *Node) *Node {
	if backend.IsXLA(x.Graph().Backend()) {
		return Sigmoid(x)
	}
	y := ConvertDType(x, dtypes.Float32) // the only type its softmax has
	pair := softmax(Stack([]*Node{y, ZerosLike(y)}, -1))
	return ConvertDType(Reshape(SliceAxis(pair, -1, AxisElem(0)), x.Shape().Dimensions...), x.DType())
}

// tanh is 2 sigmoid(2x) - 1, for the same reason.
func tanh(x *Node) *Node {
	if backend.IsXLA(x.Graph().Backend()) {
		return Tanh(x)
	}
	return AddScalar(MulScalar(sigmoid(MulScalar(x, 2.0)), 2.0), -1.0)
}

// gelu is x * Phi(x), Phi the normal distribution (Hendrycks and Gimpel 2016), in float32.
func gelu(x *Node) *Node {
	y := ConvertDType(x, dtypes.Float32)
	return ConvertDType(Mul(y, MulScalar(AddScalar(Erf(MulScalar(y, math.Sqrt2/2)), 1.0), 0.5)), x.DType())
}

// geluTanh is the same paper's approximation, x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))), in float32.
func geluTanh(x *Node) *Node {
	y := ConvertDType(x, dtypes.Float32)
	inner := MulScalar(Add(y, MulScalar(Mul(y, Square(y)), 0.044715)), math.Sqrt(2/math.Pi))
	return ConvertDType(Mul(y, MulScalar(AddScalar(tanh(inner), 1.0), 0.5)), x.DType())
}

// softcap bounds x smoothly: cap * tanh(x/cap); 0 = no bound.
func softcap(x *Node, cap float64) *Node {
	if cap == 0 {
		return x
	}
	return MulScalar(tanh(MulScalar(x, 1/cap)), cap)
}
