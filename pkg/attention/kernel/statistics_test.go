package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/internal/testdevices"
)

// wantedKinds are what surveys ask for, in the forms that models have.
func wantedKinds() map[string]statistics {
	plain, windowed, capped := Form{Scale: 0.2}, Form{Scale: 0.2, Window: 100}, Form{Scale: 0.2, Softcap: 5, Window: 100}
	return map[string]statistics{
		"received":                  {Form: plain},
		"received, window":          {Form: windowed},
		"rows":                      {Form: plain, Rows: true, Local: 16},
		"rows, wide local":          {Form: plain, Rows: true, Local: 90},
		"shapes":                    {Form: plain, Cells: true},
		"first layer":               {Form: plain, Rows: true, Local: 16, Cells: true, Tau: 0.01},
		"everything":                {Form: plain, Rows: true, Local: 16, Cells: true, Tau: 0.01, Sourced: true, SourceForm: plain},
		"everything, sinks":         {Form: plain, Rows: true, Local: 16, Cells: true, Tau: 0.01, HasSinks: true, Sourced: true, SourceForm: windowed},
		"everything, sinks, window": {Form: windowed, Rows: true, Local: 16, Cells: true, Tau: 0.01, HasSinks: true, Sourced: true, SourceForm: windowed},
		"everything, cap, window":   {Form: capped, Rows: true, Local: 16, Tau: 0.01, Sourced: true, SourceForm: Form{Scale: 0.2, Softcap: 5}},
	}
}

func TestStatisticsTextDefinesWhatItUses(t *testing.T) {
	for name, f := range wantedKinds() {
		for _, dim := range []int{16, 128, 256} {
			for _, tokens := range []int{333, 512} { // with a last tile that is not whole, and without
				f.Type, f.Tokens, f.Heads, f.Group, f.Dim = "bf16", tokens, 8, 4, dim
				f.cut()
				t.Run(fmt.Sprint(name, " ", dim, " ", tokens), func(t *testing.T) { checkText(t, f.text()) })
			}
		}
	}
}

// TestStatisticsAreThoseOfPlainOperations, at lengths that are and are not whole tiles, over a batch with rows of padding. The bound is that of counts at a threshold.
func TestStatisticsAreThoseOfPlainOperations(t *testing.T) {
	dev := testdevices.CUDA(t)
	for name, f := range wantedKinds() {
		for _, c := range []struct {
			batch, tokens, heads, kvHeads, dim int
			dtype                              dtypes.DType
		}{{1, 2048, 8, 8, 64, dtypes.BFloat16}, {2, 333, 8, 2, 128, dtypes.BFloat16}, {3, 1, 4, 4, 32, dtypes.BFloat16}, {1, 129, 4, 2, 256, dtypes.Float16}} {
			t.Run(fmt.Sprint(name, " ", c), func(t *testing.T) {
				worst := tensors.ToScalar[float32](MustExecOnce(dev, func(g *Graph) *Node {
					of := func(seed, heads int) *Node { return noise(g, seed, c.dtype, c.batch, c.tokens, heads, c.dim) }
					x := OptimizationBarriers(of(1, c.heads), of(2, c.kvHeads), of(4, c.heads), of(5, c.kvHeads)) // see differ
					w := Wanted{Form: f.Form, Rows: f.Rows, Local: f.Local, Cells: f.Cells, Tau: f.Tau}
					lse := plainLSE(x[0], x[1], w.Form)
					i := Iota(g, lse.Shape(), 2)
					if c.batch > 1 { // the last rows are padding
						lse = Where(LessThan(i, Scalar(g, dtypes.Float32, float64(max(1, c.tokens-40)))), lse, MulScalar(OnesLike(lse), 1e30))
					}
					if f.HasSinks {
						w.Share = Neg(Mod(i, Scalar(g, dtypes.Float32, 3)))
					}
					if f.Sourced {
						w.Source = &Source{Form: f.SourceForm, Query: x[2], Key: x[3], LSE: plainLSE(x[2], x[3], f.SourceForm)}
					}
					return sumsDiffer(x[0], x[1], lse, w)
				}))
				t.Logf("differs by %.1e", worst)
				if !(worst < 2e-3) {
					t.Errorf("differs by %g, expected less than 2e-3", worst)
				}
			})
		}
	}
}

// TestStatisticsTrialsSucceed: where the kernel is tested, it is also used.
func TestStatisticsTrialsSucceed(t *testing.T) {
	dev := testdevices.CUDA(t)
	for name, f := range wantedKinds() {
		for _, dim := range []int{64, 128, 256} {
			shape := shapes.Make(dtypes.BFloat16, 1, 512, 4, dim)
			w := Wanted{Form: f.Form, Rows: f.Rows, Local: f.Local, Cells: f.Cells, Tau: f.Tau}
			if f.HasSinks {
				w.Share = new(Node)
			}
			if f.Sourced {
				w.Source = &Source{Form: f.SourceForm}
			}
			if err := StatisticsAvailable(dev, shape, shape, w); err != nil {
				t.Errorf("%s, dimension %d: %v", name, dim, err)
			}
		}
	}
}

// BenchmarkStatistics is a pass over 4,096 tokens with 32 heads over 8 of keys ("ms").
func BenchmarkStatistics(b *testing.B) {
	dev := testdevices.CUDA(b)
	const tokens, heads, kvHeads, passes = 4096, 32, 8, 64
	for _, dim := range []int{64, 128} {
		for _, name := range []string{"received", "rows", "everything"} {
			f := wantedKinds()[name]
			b.Run(fmt.Sprintf("dim%d/%s", dim, name), func(b *testing.B) {
				e := MustNewExec(dev, func(g *Graph) *Node {
					of := func(seed, heads int) *Node { return noise(g, seed, dtypes.BFloat16, 1, tokens, heads, dim) }
					f.Form.Scale = 1 / math.Sqrt(float64(dim))
					lse := plainLSE(of(1, heads), of(2, kvHeads), f.Form)
					x := OptimizationBarriers(of(1, heads), of(2, kvHeads), of(4, heads), of(5, kvHeads), lse)
					w := Wanted{Form: f.Form, Rows: f.Rows, Local: f.Local, Cells: f.Cells, Tau: f.Tau}
					lse = x[4]
					for range passes {
						if f.Sourced {
							w.Source = &Source{Form: f.Form, Query: x[2], Key: x[3], LSE: lse}
						}
						s := Statistics(x[0], x[1], lse, w)
						lse = Add(lse, MulScalar(s.Columns, 1e-20)) // one after the other
						if s.Entropy != nil {
							lse = Add(lse, MulScalar(InsertAxes(s.Entropy, -1), 1e-20))
						}
					}
					return ReduceAllSum(lse)
				})
				defer e.Finalize()
				reportPass(b, e, passes)
			})
		}
	}
}
