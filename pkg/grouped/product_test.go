package grouped

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/internal/testdevices"
)

// kinds that models ask for: a first and a second product of experts in either form.
var kinds = []kind{{Indexed: true, OutIn: true, Gated: true}, {OutIn: true}, {Indexed: true, Biased: true, Clamped: true}, {Biased: true}}

// agrees holds a kernel's relative distance from plain operations to half precision's rounding of results, 2^-8.
func agrees(t *testing.T, dev compute.Backend, what string, distance func(g *Graph) *Node) {
	t.Helper()
	differs := tensors.ToScalar[float32](MustExecOnce(dev, distance))
	t.Logf("%s: differs by %.1e", what, differs)
	if !(differs < 4e-3) {
		t.Errorf("%s: differs by %g, expected less than 4e-3", what, differs)
	}
}

// TestProductIsThatOfPlainOperations, for groups of many places, of few and of none, at sizes that are whole tiles and at others.
func TestProductIsThatOfPlainOperations(t *testing.T) {
	dev := testdevices.CUDA(t)
	for _, k := range kinds {
		for _, c := range []struct {
			counts  []int
			in, out int
		}{{[]int{300, 0, 1, 700, 128, 127, 129, 15}, 320, 512}, {[]int{0, 0, 40}, 64, 272}, {[]int{1, 1, 1, 1}, 128, 256}, {slices.Repeat([]int{128}, 9), 2880, 720}} {
			agrees(t, dev, fmt.Sprintf("%+v %v", k, c), func(g *Graph) *Node {
				x, s, w := operands(g, k, c.counts, c.in, c.out)
				if err := Available(x, s, w); err != nil {
					t.Errorf("%+v: %v", k, err)
				}
				return distance(Product(x, s, w), inPlain(x, s, w))
			})
		}
	}
}

func TestTableSaysWhichTilesThereAre(t *testing.T) {
	f := fill{tile: tile{Rows: 4}, sizes: sizes{Places: 15, Groups: 4}}
	got := MustExecOnce(testdevices.FromEnv(t), func(g *Graph) *Node {
		return f.table(Segments{Starts: Const(g, []int32{0, 9, 9, 10}), Counts: Const(g, []int32{9, 0, 1, 5})})
	}).Value().([][]int32)
	want := [][]int32{
		{0, 0, 0, 2, 3, 3, 3},     // group
		{0, 4, 8, 9, 10, 14, 15},  // first place
		{9, 9, 9, 10, 15, 15, 15}} // behind the group's last
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, expected %v", got, want)
	}
}

// TestReferenceIsTheFormula: what the kernel is compared with, against sums in Go.
func TestReferenceIsTheFormula(t *testing.T) {
	out := MustExecOnceN(testdevices.FromEnv(t), func(g *Graph) []*Node {
		x, s, w := operands(g, kind{Indexed: true, Biased: true}, []int{3, 0, 2}, 4, 6)
		wide := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
		return []*Node{inPlain(x, s, w), wide(x), s.Index, wide(w.Matrices), wide(w.Bias)}
	})
	y, x, index, m, bias := out[0].Value().([][]float32), out[1].Value().([][]float32), out[2].Value().([]int32), out[3].Value().([][][]float32), out[4].Value().([][]float32)
	for p, group := range []int{0, 0, 0, 2, 2} {
		for o := range 6 {
			want := bias[group][o]
			for i := range 4 {
				want += x[index[p]][i] * m[group][i][o]
			}
			if d := y[p][o] - want; !(max(d, -d) < 1e-5) {
				t.Errorf("place %d, output %d is %g, expected %g", p, o, y[p][o], want)
			}
		}
	}
}

func TestAvailableSaysWhyNot(t *testing.T) {
	dev := testdevices.FromEnv(t)
	MustExecOnce(dev, func(g *Graph) *Node {
		zeros := func(dtype dtypes.DType, dims ...int) *Node { return Zeros(g, shapes.Make(dtype, dims...)) }
		s := Segments{Starts: zeros(dtypes.Int32, 2), Counts: zeros(dtypes.Int32, 2)}
		half := func(dims ...int) *Node { return zeros(dtypes.BFloat16, dims...) }
		for want, c := range map[string]struct {
			x *Node
			w Weights
		}{
			"rows are (Float32)[8, 64], expected (BFloat16)[8, 64]": {zeros(dtypes.Float32, 8, 64), Weights{Matrices: half(2, 64, 256)}},
			"matrices of 60 inputs and 256 outputs":                 {half(8, 60), Weights{Matrices: half(2, 60, 256)}},
			"matrices of 64 inputs and 96 outputs":                  {half(8, 64), Weights{Matrices: half(2, 64, 96)}},
			"biases are (BFloat16)[2, 64]":                          {half(8, 64), Weights{Matrices: half(2, 256, 64), OutIn: true, Bias: half(2, 64)}},
			"neither biases nor":                                    {half(8, 64), Weights{Matrices: half(2, 64, 256), Up: half(2, 64, 256), Clamped: &Clamped{}}},
		} {
			if _, err := fillOf(c.x, s, c.w); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, expected %q", err, want)
			}
		}
		if err := Available(half(8, 64), s, Weights{Matrices: half(2, 64, 256)}); !backend.IsCUDA(dev) && (err == nil || !strings.Contains(err.Error(), "it needs xla:cuda")) {
			t.Errorf("%v, expected that it needs xla:cuda", err)
		}
		return s.Counts
	})
}

// TestTextDefinesWhatItUses: every value of a filled-in text is defined once, before it is used.
func TestTextDefinesWhatItUses(t *testing.T) {
	name := regexp.MustCompile(`%\w+`)
	texts := map[string]string{}
	for _, k := range kinds {
		s := sizes{kind: k, Places: 100, Groups: 3, In: 128, Out: 320, limit: 7, alpha: 1.702}
		texts[fmt.Sprintf("%+v", k)] = fill{tile: tileOf(k), sizes: s}.text()
		for _, in := range []int{3072, 80} {
			s.In = in
			texts[fmt.Sprintf("%+v, vectors of %d", k, in)] = vectors{vectorTile: vectorTileOf(k), sizes: s, Shared: 2}.text()
		}
	}
	for of, text := range texts {
		defined := map[string]bool{}
		for _, line := range strings.Split(text, "\n") {
			line, _, _ = strings.Cut(line, "//")
			results, rest, is := strings.Cut(line, " = ")
			if is && strings.HasPrefix(strings.TrimSpace(results), "%") {
				line = rest
			} else {
				results = ""
			}
			if strings.Contains(line, "tt.func") || strings.Contains(line, "scf.for") || strings.Contains(line, "^bb0") || strings.HasPrefix(strings.TrimSpace(line), "%") {
				results += " " + line // parameters, the loop's own
			}
			for _, v := range name.FindAllString(line, -1) {
				if !defined[v] && !strings.Contains(results, v) {
					t.Errorf("%s: %s is used before it is defined in %q", of, v, line)
				}
			}
			for _, v := range name.FindAllString(results, -1) {
				defined[v] = true
			}
		}
		if strings.Contains(text, "<no value>") {
			t.Errorf("%s: the text is not filled in", of)
		}
	}
}

// BenchmarkProduct is each product of one layer of mixtral-8x7b and gpt-oss-20b on 4,096 tokens, with groups that differ by a fifth.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench Product -benchtime 5x ./pkg/grouped
func BenchmarkProduct(b *testing.B) {
	dev := testdevices.CUDA(b)
	const times = 4 // in a graph: the host's part of a call is not measured
	for _, c := range []struct {
		name string
		kind
		groups, places, in, out int
	}{
		{"mixtral/up", kind{Indexed: true, OutIn: true, Gated: true}, 8, 8192, 4096, 14336},
		{"mixtral/down", kind{OutIn: true}, 8, 8192, 14336, 4096},
		{"gpt_oss/up", kind{Indexed: true, Biased: true, Clamped: true}, 32, 16384, 2880, 5760},
		{"gpt_oss/down", kind{Biased: true}, 32, 16384, 2880, 2880},
	} {
		b.Run(c.name, func(b *testing.B) {
			counts := make([]int, c.groups)
			for i := range counts {
				counts[i] = c.places / c.groups * (9 + i%2*2) / 10
			}
			made := MustExecOnceN(dev, func(g *Graph) []*Node {
				x, _, w := operands(g, c.kind, counts, c.in, c.out)
				return slices.DeleteFunc([]*Node{x, w.Matrices, w.Up, w.Bias}, func(x *Node) bool { return x == nil })
			})
			pass := MustNewExec(dev, func(in []*Node) *Node {
				x := in[0]
				_, s, _ := operands(x.Graph(), kind{Indexed: c.Indexed}, counts, 16, 16)
				w := Weights{Matrices: in[1], OutIn: c.OutIn}
				switch {
				case c.Gated:
					w.Up = in[2]
				case c.Biased:
					w.Bias = in[2]
				}
				if c.Clamped {
					w.Clamped = &Clamped{Limit: 7, Alpha: 1.702}
				}
				for range times { // each waits for the one before it
					y := Product(x, s, w)
					corner := SliceAxis(SliceAxis(y, 0, AxisRange(0, 1)), 1, AxisRange(0, 1))
					huge := GreaterThan(BroadcastToDims(corner, x.Shape().Dimensions...), Scalar(x.Graph(), x.DType(), 1e30))
					x = OptimizationBarrier(Where(huge, Neg(x), x))
				}
				return ReduceAllSum(ConvertDType(x, dtypes.Float32))
			})
			defer pass.Finalize()
			var inputs []any
			for _, t := range made {
				inputs = append(inputs, t)
				defer t.FinalizeAll()
			}
			pass.MustExec(inputs...)
			for b.Loop() {
				pass.MustExec(inputs...)
			}
			seconds := b.Elapsed().Seconds() / float64(b.N*times)
			flops := 2 * float64(sum(counts)) * float64(c.in) * float64(c.out)
			if c.Gated {
				flops *= 2
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e3*seconds, "ms")
			b.ReportMetric(flops/seconds/1e12, "TFLOP/s")
		})
	}
}

func sum(x []int) (total int) {
	for _, n := range x {
		total += n
	}
	return total
}
