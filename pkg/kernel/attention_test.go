package kernel

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
)

func open(t testing.TB) compute.Backend {
	t.Helper()
	dev, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func openCUDA(t testing.TB) compute.Backend {
	t.Helper()
	dev := open(t)
	if !backend.IsCUDA(dev) {
		t.Skip("needs an NVIDIA GPU: set ATTUNE_BACKEND=xla:cuda")
	}
	return dev
}

// noise is pseudo-random and even, of standard deviation 1.5: scores spread enough that thresholds pass some keys and not most.
func noise(g *Graph, seed int, dtype dtypes.DType, dims ...int) *Node {
	x := AddScalar(IotaFull(g, shapes.Make(dtypes.Uint32, dims...)), float64(seed)*7919)
	for range 2 {
		x = MulScalar(BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, 15)), 0x85ebca6b)
		x = BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, 13))
	}
	even := SubScalar(MulScalar(ConvertDType(BitwiseShiftRightLogicalScalar(x, 8), dtypes.Float32), 1.0/(1<<24)), 0.5)
	return ConvertDType(MulScalar(even, 1.5*math.Sqrt(12)), dtype)
}

// TestAttentionIsThatOfPlainOperations, at lengths that are and are not whole tiles, over a batch, with shared keys, in both types and for every mask and gain.
// The bound is half precision's rounding of probabilities and results, 2^-8 of each. Rows with a product so near its limit that the order of a sum decides on which
// side it falls are left out.
func TestAttentionIsThatOfPlainOperations(t *testing.T) {
	dev := openCUDA(t)
	for _, c := range []struct {
		batch, tokens, heads, kvHeads, dim int
		dtype                              dtypes.DType
	}{
		{1, 2048, 32, 32, 128, dtypes.BFloat16}, {2, 333, 8, 2, 64, dtypes.BFloat16}, {3, 1, 4, 4, 32, dtypes.BFloat16}, {1, 64, 2, 1, 16, dtypes.BFloat16},
		{2, 1000, 6, 3, 128, dtypes.Float16}, {1, 65, 4, 4, 64, dtypes.Float16},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			for _, gain := range []float64{1.2, 3, 0.25} {
				out := MustExecOnceN(dev, func(g *Graph) []*Node {
					of := func(seed, heads int) *Node { return noise(g, seed, c.dtype, c.batch, c.tokens, heads, c.dim) }
					x := OptimizationBarriers(of(1, c.heads), of(2, c.kvHeads), of(3, c.kvHeads), of(4, c.heads), of(5, c.kvHeads)) // see try
					query, key, value, source, sourceKey := x[0], x[1], x[2], x[3], x[4]
					scale := 1 / math.Sqrt(float64(c.dim))
					limit, mask := above(source, sourceKey, scale, 0.01)
					gains := MulScalar(Ones(g, shapes.Make(dtypes.Float32, c.heads)), gain)
					want := plain(query, key, value, gain, mask, scale)
					sum := plain(query, key, OnesLike(value), gain, mask, scale)
					near := LessThan(Abs(Sub(products(source, sourceKey), InsertAxes(limit, -1))), Scalar(g, dtypes.Float32, 1e-3))
					clear := OneMinus(ReduceMax(ConvertDType(near, dtypes.Float32), -1)) // [batch, heads, tokens]
					clear = InsertAxes(TransposeAllAxes(clear, 0, 2, 1), -1)
					norm := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(Mul(clear, ConvertDType(x, dtypes.Float32))))) }
					var errors []*Node
					for _, m := range []Mask{{Bits: Pack(mask, c.tokens)}, {Query: source, Key: sourceKey, Limit: limit}} {
						for _, normalise := range []bool{false, true} {
							expected := want
							if normalise {
								expected = Div(want, sum)
							}
							got := ConvertDType(Attention(query, key, value, gains, m, Options{Scale: scale, Normalise: normalise}), dtypes.Float32)
							errors = append(errors, Div(norm(Sub(got, expected)), norm(expected)))
						}
					}
					return append(errors, ReduceAllSum(ConvertDType(mask, dtypes.Float32)), ReduceAllMean(clear))
				})
				if marked := tensors.ToScalar[float32](out[4]); marked == 0 && c.tokens > 1 {
					t.Error("the mask is empty: the test says nothing")
				}
				if compared := tensors.ToScalar[float32](out[5]); compared < 0.8 {
					t.Errorf("only %.2f of the rows are clear of their limit", compared)
				}
				for i, x := range out[:4] {
					how := []string{"bits", "bits, normalised", "limits", "limits, normalised"}[i]
					if e := tensors.ToScalar[float32](x); !(e < 4e-3) {
						t.Errorf("gain %g, %s: differs by %g, expected less than 4e-3", gain, how, e)
					} else {
						t.Logf("gain %g, %s: differs by %.1e", gain, how, e)
					}
				}
			}
		})
	}
}

// TestTrialsSucceed: where the fast path is tested, it is also taken.
func TestTrialsSucceed(t *testing.T) {
	dev := openCUDA(t)
	for _, dim := range []int{16, 32, 64, 128} {
		for _, byLimit := range []bool{false, true} {
			query := shapes.Make(dtypes.BFloat16, 1, 512, 4, dim)
			if err := Available(dev, query, query, byLimit); err != nil {
				t.Errorf("dimension %d, by limit %t: %v", dim, byLimit, err)
			}
		}
	}
}

func TestAvailableSaysWhyNot(t *testing.T) {
	of := func(dtype dtypes.DType, tokens, heads, dim int) shapes.Shape {
		return shapes.Make(dtype, 1, tokens, heads, dim)
	}
	for want, c := range map[string][2]shapes.Shape{
		"takes bfloat16 or float16": {of(dtypes.Float32, 64, 4, 64), of(dtypes.Float32, 64, 4, 64)},
		"head dimension 80":         {of(dtypes.BFloat16, 64, 4, 80), of(dtypes.BFloat16, 64, 4, 80)},
		"head dimension 256":        {of(dtypes.BFloat16, 64, 4, 256), of(dtypes.BFloat16, 64, 4, 256)},
		"groups must be equal":      {of(dtypes.BFloat16, 64, 4, 64), of(dtypes.BFloat16, 64, 3, 64)},
		"do not fit 32 bits":        {of(dtypes.BFloat16, 1<<20, 64, 64), of(dtypes.BFloat16, 1<<20, 64, 64)},
	} {
		if err := check(c[0], c[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v over %v: %v, expected %q", c[0], c[1], err, want)
		}
	}
	ok := of(dtypes.BFloat16, 64, 4, 64)
	if err := check(ok, of(dtypes.BFloat16, 64, 2, 64)); err != nil {
		t.Error(err)
	}
	if dev := open(t); !backend.IsCUDA(dev) {
		if err := Available(dev, ok, ok, false); err == nil || !strings.Contains(err.Error(), "needs xla:cuda") {
			t.Errorf("%v, expected that it needs xla:cuda", err)
		}
	}
}

// TestTextDefinesWhatItUses reads the filled-in text as its compiler does: every value is defined once in its region, before it is used.
func TestTextDefinesWhatItUses(t *testing.T) {
	defined := regexp.MustCompile(`^\s*(%\w+)(?::\d+)? = |(%\w+): |(%\w+) = %|scf\.for (%\w+)`)
	used := regexp.MustCompile(`%\w+`)
	for _, byLimit := range []bool{false, true} {
		for _, dim := range []int{16, 128} {
			rows, _ := tile(byLimit, dim)
			f := fill{Name: "a", Type: "bf16", Rows: rows, Keys: tileKeys, Tokens: 333, Heads: 8, Group: 4, Dim: dim, Log2Scale: "1.0e-01", ByLimit: byLimit, OffDiagonal: true}
			regions := []map[string]bool{{}}
			lines := strings.Split(f.text(), "\n")
			for n, line := range lines {
				line, _, _ = strings.Cut(line, "//")
				if strings.HasPrefix(strings.TrimSpace(line), "}") {
					regions = regions[:len(regions)-1]
				}
				opens := strings.HasSuffix(line, "{")
				own, inner := map[string]bool{}, map[string]bool{}
				for i, m := range defined.FindAllStringSubmatch(line, -1) {
					name := m[1] + m[2] + m[3] + m[4]
					if opens && (m[3] != "" || m[4] != "" || m[2] != "") {
						inner[name] = true
					} else {
						own[name] = true
					}
					if slices.ContainsFunc(regions, func(r map[string]bool) bool { return r[name] }) {
						t.Errorf("line %d defines %s again (%d): %s", n+1, name, i, line)
					}
				}
				for _, name := range used.FindAllString(line, -1) {
					if !own[name] && !inner[name] && !slices.ContainsFunc(regions, func(r map[string]bool) bool { return r[name] }) {
						t.Errorf("line %d uses %s, which is not defined: %s", n+1, name, line)
					}
				}
				for name := range own {
					regions[len(regions)-1][name] = true
				}
				if opens {
					regions = append(regions, inner)
				}
			}
			if len(regions) != 1 || len(lines) < 200 {
				t.Errorf("%d lines leave %d regions open", len(lines), len(regions)-1)
			}
		}
	}
}

func TestWrongOperandsAreRefused(t *testing.T) {
	dev := open(t)
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "the mask's bits are") {
			t.Errorf("%v, expected an error about the mask's bits", r)
		}
	}()
	MustExecOnce(dev, func(g *Graph) *Node {
		query := noise(g, 1, dtypes.BFloat16, 1, 64, 2, 64)
		return Attention(query, query, query, Ones(g, shapes.Make(dtypes.Float32, 2)), Mask{Bits: Zeros(g, shapes.Make(dtypes.Int32, 1, 2, 64, 1))}, Options{Scale: 1})
	})
}

// BenchmarkAttention is a pass at Llama-2-7B dimensions, 4,096 tokens, against the library's plain one ("ms"). Each timing runs 64 of them, one after the other.
func BenchmarkAttention(b *testing.B) {
	dev := openCUDA(b)
	const tokens, heads, passes = 4096, 32, 64
	for _, dim := range []int{128, 64} {
		for _, how := range []string{"plain", "bits", "limits"} {
			b.Run(fmt.Sprintf("dim%d/%s", dim, how), func(b *testing.B) {
				e := MustNewExec(dev, func(g *Graph) *Node {
					of := func(seed int) *Node { return noise(g, seed, dtypes.BFloat16, 1, tokens, heads, dim) }
					query, scale := of(1), 1/math.Sqrt(float64(dim))
					limit, mask := above(of(4), of(5), scale, 0.01)
					x := OptimizationBarriers(of(2), of(3), of(4), of(5), limit, Pack(mask, tokens))
					gains := MulScalar(Ones(g, shapes.Make(dtypes.Float32, heads)), 1.2)
					for range passes {
						switch how {
						case "plain":
							o := &compute.ScaledDotProductAttentionConfig{Scale: scale, Causal: true}
							query, _ = BackendFusedScaledDotProductAttention(query, x[0], x[1], compute.AttentionAxesLayoutBSHD, o)
						case "bits":
							query = Attention(query, x[0], x[1], gains, Mask{Bits: x[5]}, Options{Scale: scale})
						case "limits":
							query = Attention(query, x[0], x[1], gains, Mask{Query: x[2], Key: x[3], Limit: x[4]}, Options{Scale: scale})
						}
					}
					return ReduceAllSum(ConvertDType(query, dtypes.Float32))
				})
				defer e.Finalize()
				run := func() float64 {
					start := time.Now()
					tensors.ToScalar[float32](e.MustExec1())
					return time.Since(start).Seconds() * 1e3 / passes
				}
				run()
				var times []float64
				for b.Loop() {
					times = append(times, run())
				}
				slices.Sort(times)
				b.ReportMetric(times[len(times)/2], "ms")
			})
		}
	}
}
