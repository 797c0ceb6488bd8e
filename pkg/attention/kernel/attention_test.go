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
	"github.com/attune-lab/attune/pkg/internal/testdevices"
	"github.com/attune-lab/attune/pkg/triton"
)

// noise has a standard deviation of 1.5: scores spread enough that thresholds pass some keys and not most.
func noise(g *Graph, seed int, dtype dtypes.DType, dims ...int) *Node {
	return triton.Noise(g, seed, 1.5, dtype, dims...)
}

// TestAttentionIsThatOfPlainOperations, at lengths that are and are not whole tiles, over a batch, with shared keys, in both types, for what models add and for
// every mask. The bound is half precision's rounding of probabilities and results, 2^-8 of each.
func TestAttentionIsThatOfPlainOperations(t *testing.T) {
	dev := testdevices.CUDA(t)
	for _, c := range []struct {
		batch, tokens, heads, kvHeads, dim int
		dtype                              dtypes.DType
		softcap                            float64
		window                             int
		sinks                              bool
	}{
		{1, 2048, 32, 32, 128, dtypes.BFloat16, 0, 0, false}, {2, 333, 8, 2, 64, dtypes.BFloat16, 0, 0, false}, {3, 1, 4, 4, 32, dtypes.BFloat16, 0, 0, false},
		{2, 1000, 6, 3, 128, dtypes.Float16, 0, 0, false}, {1, 500, 8, 4, 256, dtypes.BFloat16, 5, 0, false}, {2, 700, 4, 2, 256, dtypes.BFloat16, 5, 300, false},
		{1, 600, 8, 1, 64, dtypes.BFloat16, 0, 128, true}, {2, 129, 4, 2, 128, dtypes.BFloat16, 0, 1, false}, {1, 257, 2, 2, 16, dtypes.Float16, 3, 65, true},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			out := MustExecOnceN(dev, func(g *Graph) []*Node {
				of := func(seed, heads int) *Node { return noise(g, seed, c.dtype, c.batch, c.tokens, heads, c.dim) }
				x := OptimizationBarriers(of(1, c.heads), of(2, c.kvHeads), of(3, c.kvHeads), of(4, c.heads), of(5, c.kvHeads)) // see differ
				o := Options{Scale: 1 / math.Sqrt(float64(c.dim)), Softcap: c.softcap, Window: c.window}
				heads := Iota(g, shapes.Make(dtypes.Float32, c.heads), 0)
				if c.sinks {
					o.Sinks = SubScalar(heads, 1)
				}
				mask, limit, near := above(x[3], x[4], o.Scale, 0.01)
				results := []*Node{ReduceAllSum(ConvertDType(mask, dtypes.Float32)), ReduceAllMean(near), differ(x[0], x[1], x[2], o, mask, near)}
				for _, m := range []Mask{{Bits: Pack(mask, c.tokens)}, {Query: x[3], Key: x[4], Limit: limit}} {
					for _, normalise := range []bool{false, true} {
						o.Gain = &Gain{Values: AddScalar(heads, 0.25), Mask: m, Normalise: normalise}
						results = append(results, differ(x[0], x[1], x[2], o, mask, near))
					}
				}
				return results
			})
			if marked := tensors.ToScalar[float32](out[0]); marked == 0 && c.tokens > 1 {
				t.Error("the mask is empty: the test says nothing")
			}
			if near := tensors.ToScalar[float32](out[1]); near > 0.2 {
				t.Errorf("%.2f of the rows are too near their limits to say anything", near)
			}
			for i, how := range []string{"plain", "bits", "bits, normalised", "limits", "limits, normalised"} {
				e := tensors.ToScalar[float32](out[2+i])
				t.Logf("%s: differs by %.1e", how, e)
				if !(e < 4e-3) {
					t.Errorf("%s: differs by %g, expected less than 4e-3", how, e)
				}
			}
		})
	}
}

// everyKind that a model or an intervention can ask for.
func everyKind() (kinds []Kind) {
	for i := range 1 << 3 {
		k := Kind{HasSoftcap: i&1 > 0, HasWindow: i&2 > 0, HasSinks: i&4 > 0}
		bits, limits := k, k
		bits.ByBits, limits.ByLimits = true, true
		kinds = append(kinds, k, bits, limits)
	}
	return kinds
}

// TestTrialsSucceed: where the kernel is tested, it is also used.
func TestTrialsSucceed(t *testing.T) {
	dev := testdevices.CUDA(t)
	for _, dim := range []int{16, 64, 128, 256} {
		for _, k := range []Kind{{}, {ByBits: true}, {ByLimits: true}, {HasSoftcap: true, HasWindow: true, HasSinks: true}} {
			query := shapes.Make(dtypes.BFloat16, 1, 512, 4, dim)
			if err := Available(dev, query, query, k); err != nil {
				t.Errorf("dimension %d, %+v: %v", dim, k, err)
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
		"head dimension 512":        {of(dtypes.BFloat16, 64, 4, 512), of(dtypes.BFloat16, 64, 4, 512)},
		"whole sequences":           {of(dtypes.BFloat16, 1, 4, 64), of(dtypes.BFloat16, 64, 4, 64)},
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
	if dev := testdevices.FromEnv(t); !backend.IsCUDA(dev) {
		if err := Available(dev, ok, ok, Kind{}); err == nil || !strings.Contains(err.Error(), "it needs xla:cuda") {
			t.Errorf("%v, expected that it needs xla:cuda", err)
		}
	}
}

// TestTextDefinesWhatItUses: every value of the filled-in text is defined once in its region, before it is used.
func TestTextDefinesWhatItUses(t *testing.T) {
	for _, k := range everyKind() {
		for _, dim := range []int{16, 128, 256} {
			f := fill{Name: "a", Kind: k, Type: "bf16", tile: tileOf(k, dim), Tokens: 333, Heads: 8, Group: 4, Dim: dim, Scale: 1, Softcap: 50, Window: 90, OffDiagonal: true}
			if k.ByBits && f.Rows > wordBits*wordStep {
				t.Errorf("%+v: programs of %d rows read bits behind the end of a row, which has whole steps of %d keys", k, f.Rows, wordBits*wordStep)
			}
			checkText(t, f.text())
		}
	}
}

// checkText reads a text as its compiler does.
func checkText(t *testing.T, text string) {
	t.Helper()
	defined := regexp.MustCompile(`^\s*(%\w+)(?::\d+)? = |(%\w+): |(%\w+) = %|scf\.for (%\w+)`)
	used := regexp.MustCompile(`%\w+`)
	regions := []map[string]bool{{}}
	lines := strings.Split(text, "\n")
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
	if len(regions) != 1 || len(lines) < 150 {
		t.Errorf("%d lines leave %d regions open", len(lines), len(regions)-1)
	}
}

func TestWrongOperandsAreRefused(t *testing.T) {
	dev := testdevices.FromEnv(t)
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "the mask's bits are") {
			t.Errorf("%v, expected an error about the mask's bits", r)
		}
	}()
	MustExecOnce(dev, func(g *Graph) *Node {
		query := noise(g, 1, dtypes.BFloat16, 1, 64, 2, 64)
		gain := &Gain{Values: Ones(g, shapes.Make(dtypes.Float32, 2)), Mask: Mask{Bits: Zeros(g, shapes.Make(dtypes.Int32, 1, 2, 64, 1))}}
		out, _ := Attention(query, query, query, Options{Scale: 1, Gain: gain})
		return out
	})
}

// BenchmarkAttention is a pass over 4,096 tokens with 32 heads, against the library's plain one ("ms"). Each timing runs 64 of them, one after the other.
func BenchmarkAttention(b *testing.B) {
	dev := testdevices.CUDA(b)
	const tokens, heads, passes = 4096, 32, 64
	for _, dim := range []int{128, 64, 256} {
		for _, how := range []string{"library", "plain", "bits", "limits", "capped", "windowed"} {
			if dim == 256 && how == "library" {
				continue // which has none
			}
			b.Run(fmt.Sprintf("dim%d/%s", dim, how), func(b *testing.B) {
				e := MustNewExec(dev, func(g *Graph) *Node {
					of := func(seed int) *Node { return noise(g, seed, dtypes.BFloat16, 1, tokens, heads, dim) }
					query, o := of(1), Options{Scale: 1 / math.Sqrt(float64(dim))}
					mask, limit, _ := above(of(4), of(5), o.Scale, 0.01)
					x := OptimizationBarriers(of(2), of(3), of(4), of(5), limit, Pack(mask, tokens))
					gain := &Gain{Values: MulScalar(Ones(g, shapes.Make(dtypes.Float32, heads)), 1.2)}
					switch how {
					case "bits":
						o.Gain, gain.Mask = gain, Mask{Bits: x[5]}
					case "limits":
						o.Gain, gain.Mask = gain, Mask{Query: x[2], Key: x[3], Limit: x[4]}
					case "capped":
						o.Softcap = 50
					case "windowed":
						o.Window = 1024
					}
					for range passes {
						if how == "library" {
							lo := &compute.ScaledDotProductAttentionConfig{Scale: o.Scale, Causal: true}
							query, _ = BackendFusedScaledDotProductAttention(query, x[0], x[1], compute.AttentionAxesLayoutBSHD, lo)
							continue
						}
						query, _ = Attention(query, x[0], x[1], o)
					}
					return ReduceAllSum(ConvertDType(query, dtypes.Float32))
				})
				defer e.Finalize()
				reportPass(b, e, passes)
			})
		}
	}
}

// reportPass reports the median time of one of the passes that an executable makes.
func reportPass(b *testing.B, e *Exec, passes int) {
	run := func() float64 {
		start := time.Now()
		tensors.ToScalar[float32](e.MustExec1())
		return time.Since(start).Seconds() * 1e3 / float64(passes)
	}
	run()
	var times []float64
	for b.Loop() {
		times = append(times, run())
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2], "ms")
}
