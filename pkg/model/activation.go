package model

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
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
func silu(x *Node) *Node { return Mul(x, attn.SigmoidBySoftmax(x)) }

// gelu is x * Phi(x), Phi the normal distribution (Hendrycks and Gimpel 2016), in float32.
func gelu(x *Node) *Node {
	y := ConvertDType(x, dtypes.Float32)
	return ConvertDType(Mul(y, MulScalar(AddScalar(Erf(MulScalar(y, math.Sqrt2/2)), 1.0), 0.5)), x.DType())
}

// geluTanh is the same paper's approximation, x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))), in float32.
func geluTanh(x *Node) *Node {
	y := ConvertDType(x, dtypes.Float32)
	inner := MulScalar(Add(y, MulScalar(Mul(y, Square(y)), 0.044715)), math.Sqrt(2/math.Pi))
	return ConvertDType(Mul(y, MulScalar(AddScalar(attn.TanhBySoftmax(inner), 1.0), 0.5)), x.DType())
}
