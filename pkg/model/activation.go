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
	"relu2":             func(x *Node) *Node { return Square(MaxScalar(x, 0.0)) },
	"quick_gelu":        func(x *Node) *Node { return Mul(x, attn.SigmoidBySoftmax(MulScalar(x, 1.702))) },
}

func (f *fields) activationName() string {
	return f.text("", "hidden_activation", "hidden_act", "activation_function", "activation")
}

// siluActivation reports whether it is silu, which has no constants.
func (f *fields) siluActivation() bool { n := f.activationName(); return n == "silu" || n == "swish" }

// activation reads the MLP's nonlinearity.
func (f *fields) activation() activation {
	name := f.activationName()
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

// xielu is an activation with two learned numbers (Huang and Schlag 2024, arXiv 2411.13010), p = softplus(alpha_p) and n = beta + softplus(alpha_n):
//
//	x > 0:  p x² + beta x
//	x <= 0: n (exp(min(x, eps)) - 1 - x) + beta x
func (d *decoder) xielu(module string, x *Node) *Node {
	const beta, eps = 0.5, -1e-6
	y := ConvertDType(x, dtypes.Float32)
	softplus := func(name string) *Node {
		a := Reshape(ConvertDType(d.params[module+name], dtypes.Float32))
		return Log(AddScalar(Exp(a), 1.0))
	}
	low := MinScalar(y, eps)
	// exp(x) - 1 loses its digits near 0, where the series has them.
	minusOne := Where(LessThan(low, Scalar(y.Graph(), dtypes.Float32, -0.01)), AddScalar(Exp(low), -1.0), Mul(low, AddScalar(Mul(low, AddScalar(MulScalar(low, 1.0/6), 0.5)), 1.0)))
	positive := Add(Mul(softplus(".alpha_p"), Square(y)), MulScalar(y, beta))
	negative := Add(Mul(AddScalar(softplus(".alpha_n"), beta), Sub(minusOne, y)), MulScalar(y, beta))
	return ConvertDType(Where(GreaterThan(y, ZerosLike(y)), positive, negative), x.DType())
}
