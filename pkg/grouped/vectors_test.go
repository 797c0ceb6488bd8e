package grouped

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/internal/testdevices"
	"github.com/attune-lab/attune/pkg/internal/while"
)

// vectorKinds are those of kinds for few rows.
var vectorKinds = []kind{{OutIn: true, Gated: true}, {OutIn: true}, {Biased: true, Clamped: true}, {Biased: true}}

// TestVectorProductIsThatOfPlainOperations, at sizes that are whole blocks and at others, for groups that several places share.
func TestVectorProductIsThatOfPlainOperations(t *testing.T) {
	dev := testdevices.CUDA(t)
	for _, k := range vectorKinds {
		for _, c := range []struct {
			groups  []int32
			each    int
			in, out int
		}{{[]int32{2, 0}, 2, 4096, 512}, {[]int32{3, 0, 1, 1, 3, 2, 3, 3}, 4, 2880, 5760}, {[]int32{1}, 1, 16, 64}, {[]int32{0, 3, 1}, 1, 1408, 80}} {
			agrees(t, dev, fmt.Sprintf("%+v %v", k, c), func(g *Graph) *Node {
				x, groups, w := vectorOperands(g, k, c.groups, c.each, 4, c.in, c.out)
				if err := VectorsAvailable(x, groups, w); err != nil {
					t.Errorf("%+v: %v", k, err)
				}
				return distance(VectorProduct(x, groups, w), vectorsInPlain(x, groups, w))
			})
		}
	}
}

// TestVectorReferenceIsTheFormula: what the kernel is compared with, against sums in Go.
func TestVectorReferenceIsTheFormula(t *testing.T) {
	groups := []int32{2, 0, 2, 1}
	out := MustExecOnceN(testdevices.FromEnv(t), func(g *Graph) []*Node {
		x, of, w := vectorOperands(g, kind{OutIn: true}, groups, 2, 3, 4, 6)
		wide := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
		return []*Node{vectorsInPlain(x, of, w), wide(x), wide(w.Matrices)}
	})
	y, x, m := out[0].Value().([][]float32), out[1].Value().([][]float32), out[2].Value().([][][]float32)
	for p, group := range groups {
		for o := range 6 {
			var want float32
			for i := range 4 {
				want += x[p/2][i] * m[group][o][i]
			}
			if d := y[p][o] - want; !(max(d, -d) < 1e-5) {
				t.Errorf("place %d, output %d is %g, expected %g", p, o, y[p][o], want)
			}
		}
	}
}

func TestVectorsAvailableSaysWhyNot(t *testing.T) {
	dev := testdevices.FromEnv(t)
	MustExecOnce(dev, func(g *Graph) *Node {
		half := func(dims ...int) *Node { return Zeros(g, shapes.Make(dtypes.BFloat16, dims...)) }
		groups := Zeros(g, shapes.Make(dtypes.Int32, 4))
		for want, c := range map[string]struct {
			x *Node
			w Weights
		}{
			"rows are (Float32)[2, 64], expected (BFloat16)[2, 64]": {Zeros(g, shapes.Make(dtypes.Float32, 2, 64)), Weights{Matrices: half(2, 64, 256)}},
			"matrices of 60 inputs and 256 outputs":                 {half(2, 60), Weights{Matrices: half(2, 60, 256)}},
			"matrices of 64 inputs and 16 outputs":                  {half(2, 64), Weights{Matrices: half(2, 64, 16)}},
			"4 groups of 3 rows":                                    {half(3, 64), Weights{Matrices: half(2, 64, 256)}},
		} {
			if _, err := vectorsOf(c.x, groups, c.w); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, expected %q", err, want)
			}
		}
		if err := VectorsAvailable(half(2, 64), groups, Weights{Matrices: half(2, 64, 256)}); !backend.IsCUDA(dev) && (err == nil || !strings.Contains(err.Error(), "it needs xla:cuda")) {
			t.Errorf("%v, expected that it needs xla:cuda", err)
		}
		return groups
	})
}

// TestVectorTrialsAreTaken: no trial fails for its own sizes.
func TestVectorTrialsAreTaken(t *testing.T) {
	MustExecOnce(testdevices.FromEnv(t), func(g *Graph) *Node {
		for _, k := range vectorKinds {
			for _, ragged := range []bool{false, true} {
				v := vectorVariant{kind: k, tile: vectorTileOf(k), ragged: ragged}
				x, groups, w := v.operands(g)
				if f, err := vectorsOf(x, groups, w); err != nil || f.Ragged() != ragged {
					t.Errorf("%+v, ragged %t: %v, ragged %t", k, ragged, err, f.Ragged())
				}
			}
		}
		return Const(g, int32(0))
	})
}

// BenchmarkVectorProduct is each product of one layer of mixtral-8x7b and gpt-oss-20b for one token: the share of the memory's speed, 4.2 TB/s. Matrices are others in
// every call, and calls are repeated in a loop on the device.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench VectorProduct -benchtime 5x ./pkg/grouped
func BenchmarkVectorProduct(b *testing.B) {
	dev := testdevices.CUDA(b)
	const calls, turns = 8, 40
	for _, c := range []struct {
		name string
		kind
		groups, places, shared, in, out int
	}{
		{"mixtral/up", vectorKinds[0], 8, 2, 2, 4096, 14336},
		{"mixtral/down", vectorKinds[1], 8, 2, 1, 14336, 4096},
		{"gpt_oss/up", vectorKinds[2], 32, 4, 4, 2880, 5760},
		{"gpt_oss/down", vectorKinds[3], 32, 4, 1, 2880, 2880},
	} {
		made := MustExecOnceN(dev, func(g *Graph) []*Node {
			w := weightsOf(g, c.kind, c.groups, c.in, c.out)
			out := []*Node{noise(g, 1, c.places/c.shared, c.in), w.Matrices}
			if w.Up != nil {
				out = append(out, w.Up)
			}
			if w.Bias != nil {
				out = append(out, w.Bias)
			}
			return out
		})
		b.Run(c.name, func(b *testing.B) {
			pass := MustNewExec(dev, func(in []*Node) *Node {
				g := in[0].Graph()
				first := make([]int32, c.places)
				for i := range first {
					first[i] = int32(i)
				}
				state := append([]*Node{Const(g, int32(0)), Const(g, first)}, in...)
				number := func(x *Node, v int) *Node { return ConstAsDType(x.Graph(), dtypes.Int32, v) }
				cond := func(s []*Node) *Node { return LessThan(s[0], number(s[0], turns)) }
				body := func(s []*Node) []*Node {
					w := Weights{Matrices: s[3], OutIn: c.OutIn}
					switch {
					case c.Gated:
						w.Up = s[4]
					case c.Biased:
						w.Bias = s[4]
					}
					if c.Clamped {
						w.Clamped = &Clamped{Limit: 7, Alpha: 1.702}
					}
					groups := s[1]
					var sum *Node
					for range calls {
						groups = Add(groups, number(s[0], c.places))
						groups = Where(GreaterOrEqual(groups, number(s[0], c.groups)), Sub(groups, number(s[0], c.groups)), groups)
						y := VectorProduct(s[2], groups, w)
						corner := Reshape(ConvertDType(SliceAxis(SliceAxis(y, 0, AxisRange(0, 1)), 1, AxisRange(0, 1)), dtypes.Int32))
						if sum == nil {
							sum = corner
						} else {
							sum = Max(sum, corner)
						}
					}
					next := append([]*Node{}, s...)
					next[0], next[1] = Add(s[0], number(s[0], 1)), Max(groups, Min(sum, number(s[0], 0)))
					return next
				}
				return while.Loop(state, cond, body)[1]
			})
			defer pass.Finalize()
			var inputs []any
			for _, t := range made {
				inputs = append(inputs, t)
			}
			pass.MustExec(inputs...)
			for b.Loop() {
				pass.MustExec(inputs...)
			}
			seconds := b.Elapsed().Seconds() / float64(b.N*calls*turns)
			bytes := 2 * float64(c.places*c.in*c.out)
			if c.Gated {
				bytes *= 2
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e6*seconds, "us")
			b.ReportMetric(bytes/seconds/4.2e12, "of-floor")
		})
		for _, t := range made {
			t.FinalizeAll()
		}
	}
}
