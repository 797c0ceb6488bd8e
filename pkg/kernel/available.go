package kernel

import (
	"fmt"
	"math"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/backend"
)

// Available reports whether Attention can compute queries and keys of these shapes, with a mask of bits or one found by limits: nil, or why not. The text of the
// kernel is read by whatever compiler the plugin carries, so the first question of a kind compiles a small case and compares it with the same attention in plain
// operations; that takes a second.
func Available(dev compute.Backend, query, key shapes.Shape, byLimit bool) error {
	if !backend.IsCUDA(dev) {
		return fmt.Errorf("gained attention needs xla:cuda, this is %s", dev.Name())
	}
	if err := check(query, key); err != nil {
		return err
	}
	kind := variant{dev, query.DType, query.Dimensions[3], byLimit}
	tried.Lock()
	defer tried.Unlock()
	err, known := tried.outcome[kind]
	if !known {
		err = kind.try()
		tried.outcome[kind] = err
	}
	return err
}

// variant is a kernel that is compiled differently.
type variant struct {
	dev     compute.Backend
	dtype   dtypes.DType
	dim     int
	byLimit bool
}

var tried = struct {
	sync.Mutex
	outcome map[variant]error
}{outcome: map[variant]error{}}

// tolerance of a trial, relative: three times the rounding of half precision to 8 bits.
const tolerance = 3.0 / 256

// try compares the kernel with plain operations: two heads that share keys, more than a tile of tokens and no whole number of them.
func (v variant) try() error {
	const tokens, heads, tau, gain = 200, 2, 0.01, 2
	var worst float32
	err := exceptions.TryCatch[error](func() {
		worst = tensors.ToScalar[float32](MustExecOnce(v.dev, func(g *Graph) *Node {
			of := func(heads int, frequency float64) *Node { // some values of about unit size
				x := ConvertDType(IotaFull(g, shapes.Make(dtypes.Int32, 1, tokens, heads, v.dim)), dtypes.Float32)
				return ConvertDType(MulScalar(Sin(MulScalar(x, frequency)), math.Sqrt2), v.dtype)
			}
			// Behind a barrier: XLA would leave out the rounding to half precision for plain operations, and not for the kernel.
			x := OptimizationBarriers(of(heads, 1.1), of(1, 0.7), of(1, 1.3), of(heads, 0.9), of(1, 1.7))
			query, key, value, source, sourceKey := x[0], x[1], x[2], x[3], x[4]
			scale := 2 / math.Sqrt(float64(v.dim))
			limit, mask := above(source, sourceKey, scale, tau)
			gains := AddScalar(Zeros(g, shapes.Make(dtypes.Float32, heads)), gain)
			m := Mask{Query: source, Key: sourceKey, Limit: limit}
			if !v.byLimit {
				m = Mask{Bits: Pack(mask, tokens)}
			}
			got := ConvertDType(Attention(query, key, value, gains, m, Options{Scale: scale}), dtypes.Float32)
			want := plain(query, key, value, gain, mask, scale)
			norm := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(x))) }
			return Div(norm(Sub(got, want)), norm(want))
		}))
	})
	switch {
	case err != nil:
		return fmt.Errorf("gained attention does not compile here: %w", err)
	case !(worst < tolerance):
		return fmt.Errorf("gained attention is off by %g on a trial, expected less than %g", worst, tolerance)
	}
	return nil
}

// plain is the gained attention of Attention's operands in plain operations; mask is bool [batch, heads, tokens, tokens].
func plain(query, key, value *Node, gain float64, mask *Node, scale float64) *Node {
	p := Softmax(visible(MulScalar(products(query, key), scale)), -1)
	p = Where(mask, MulScalar(p, gain), p)
	out := DotGeneral(p, []int{3}, []int{0, 1}, perHead(value, query), []int{1}, []int{0, 2})
	return TransposeAllAxes(out, 0, 2, 1, 3)
}

// above is the mask of the probabilities above tau, the diagonal left out, and the limits of the products that say the same.
func above(query, key *Node, scale, tau float64) (limit, mask *Node) {
	raw := products(query, key)
	scores := visible(MulScalar(raw, scale))
	top := ReduceAndKeep(scores, ReduceMax, -1)
	lse := Add(top, Log(ReduceAndKeep(Exp(Sub(scores, top)), ReduceSum, -1)))
	bound := MulScalar(AddScalar(lse, math.Log(tau)), 1/scale)
	i, j := positions(raw)
	mask = LogicalAnd(GreaterThan(raw, BroadcastToDims(bound, raw.Shape().Dimensions...)), GreaterThan(i, j))
	return Squeeze(bound, -1), mask
}

// products of queries and keys, float32 [batch, heads, tokens, tokens].
func products(query, key *Node) *Node {
	return DotGeneral(ConvertDType(query, dtypes.Float32), []int{3}, []int{0, 2}, perHead(key, query), []int{3}, []int{0, 2})
}

// perHead repeats keys or values for the heads that share them, in float32.
func perHead(x, query *Node) *Node {
	d, heads := x.Shape().Dimensions, query.Shape().Dimensions[2]
	wide := BroadcastToDims(InsertAxes(ConvertDType(x, dtypes.Float32), 3), d[0], d[1], d[2], heads/d[2], d[3])
	return Reshape(wide, d[0], d[1], heads, d[3])
}

// visible leaves the scores of keys that a query may see.
func visible(scores *Node) *Node {
	i, j := positions(scores)
	return Where(GreaterOrEqual(i, j), scores, AddScalar(ZerosLike(scores), -1e30))
}

// positions of an entry's query and key, int32 of its dimensions.
func positions(x *Node) (query, key *Node) {
	square := shapes.Make(dtypes.Int32, x.Shape().Dimensions...)
	return Iota(x.Graph(), square, 2), Iota(x.Graph(), square, 3)
}
