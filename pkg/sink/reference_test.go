package sink_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

func interventions(t testing.TB) map[string]model.Experiment {
	t.Helper()
	exp, err := apply.New(emulate.Literal())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]model.Experiment{"plain": nil, "rewritten": exp}
}

// TestMeasuresEqualTheirMaps computes every measure of attention from whole maps in float64: in a plain model, in one whose rows were rewritten, and in families
// whose attention has a window, a soft cap or learned sinks, so that rows do not sum to 1.
func TestMeasuresEqualTheirMaps(t *testing.T) {
	tiny := tinyModel(t)
	for name, exp := range interventions(t) {
		t.Run(name, func(t *testing.T) { measuresEqualMaps(t, tiny, exp) })
	}
	for _, family := range []string{"mistral", "gemma2", "gpt_neo", "gpt_oss"} {
		t.Run(family, func(t *testing.T) {
			m, err := model.Load(filepath.Join("..", "..", "testdata", "reference", family), model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			measuresEqualMaps(t, m, nil)
		})
	}
}

func measuresEqualMaps(t *testing.T, m *model.Model, exp model.Experiment) {
	const n, tau, window, late = 45, 0.02, 6, 10
	layers, heads := m.Config.Layers, m.Config.Heads
	wide := func(seed, n int) []int { // ids within any vocabulary
		p := prompt(seed, n)
		for i := range p {
			p[i] %= m.Config.VocabSize
		}
		return p
	}
	p := wide(3, n)
	// The short prompt makes the long one's batch a padded one.
	s, err := sink.Run(m, [][]int{p, wide(4, 20)}, sink.Options{Measures: sink.Everything, Tau: tau, Window: window, Late: late, Experiment: exp})
	if err != nil {
		t.Fatal(err)
	}
	maps, err := sink.AttentionMaps(m, [][]int{p}, exp)
	if err != nil {
		t.Fatal(err)
	}
	a := make([][]float32, len(maps))
	for l := range maps {
		a[l] = tensors.MustCopyFlatData[float32](maps[l])
	}
	at := func(l, h, i, j int) float64 { return float64(a[l][(h*n+i)*n+j]) }
	get := func(v *sink.PerHead, err error) *sink.PerHead {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	entropy, first, diagonal, local := get(s.Entropy()), get(s.FirstShare()), get(s.DiagonalShare()), get(s.LocalShare())
	distance, density, overlap, sums, lates := get(s.Distance()), get(s.Density()), get(s.Overlap()), get(s.RowSum()), get(s.LateFirstShare())
	for l := range layers {
		for h := range heads {
			var e, f, d, w, r, far, lf, marked, both, either float64
			for i := range n {
				sum, away, plogp := 0.0, 0.0, 0.0
				for j := range i + 1 {
					sum += at(l, h, i, j)
				}
				for j := range i + 1 {
					v := at(l, h, i, j)
					away += v * float64(i-j) / sum
					if v > 0 {
						plogp -= v / sum * math.Log(v/sum)
					}
					if i-j < window {
						w += v / n
					}
					if j == i {
						continue
					}
					here, there := v > tau, at(0, h, i, j) > tau
					marked += count(here)
					both += count(here && there)
					either += count(here || there)
				}
				e, far, r, f, d = e+plogp/n, far+away/n, r+sum/n, f+at(l, h, i, 0)/n, d+at(l, h, i, i)/n
				if i >= late {
					lf += at(l, h, i, 0) / (n - late)
				}
			}
			for _, c := range []struct {
				name      string
				got, want float64
			}{
				{"entropy", entropy.At(0, l, h), e}, {"first", first.At(0, l, h), f}, {"diagonal", diagonal.At(0, l, h), d}, {"local", local.At(0, l, h), w},
				{"row sum", sums.At(0, l, h), r}, {"distance", distance.At(0, l, h), far}, {"late first", lates.At(0, l, h), lf},
				{"density", density.At(0, l, h), marked / (n * (n - 1) / 2)}, {"overlap", overlap.At(0, l, h), both / either},
			} {
				if !(math.Abs(c.got-c.want) <= 3e-6*math.Max(1, math.Abs(c.want))) {
					t.Errorf("%s of layer %d, head %d is %g, its map gives %g", c.name, l, h, c.got, c.want)
				}
			}
		}
	}
	similar, err := s.Similarity(0, layers-1)
	if err != nil {
		t.Fatal(err)
	}
	var ab, aa, bb float64
	for i := range n * n {
		var x, y float64
		for h := range heads {
			x, y = x+float64(a[0][h*n*n+i]), y+float64(a[layers-1][h*n*n+i])
		}
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if want := ab / math.Sqrt(aa*bb); math.Abs(similar[0]-want) > 1e-6 {
		t.Errorf("the first and last layer are %g alike, their maps give %g", similar[0], want)
	}
}

func count(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// saved surveys the prompts, saves and returns both files.
func saved(t *testing.T, m *model.Model, prompts [][]int, opts sink.Options) (path string, arrays, header []byte) {
	t.Helper()
	s, err := sink.Run(m, prompts, opts)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "arrays.safetensors")
	if err := s.Save(path); err != nil {
		t.Fatal(err)
	}
	for file, into := range map[string]*[]byte{path: &arrays, strings.TrimSuffix(path, ".safetensors") + ".json": &header} {
		if *into, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return path, arrays, header
}

// TestBlocksEqualWholeMaps compares every stored array: attention reduced by blocks of 8 tokens from queries and keys, and from the probabilities the
// layer forms. A log-sum-exp of 16 is known to 1e-6 in float32, and so is a probability made from it.
func TestBlocksEqualWholeMaps(t *testing.T) {
	m := tinyModel(t)
	for name, prompts := range map[string][][]int{"one length": {prompt(1, 70), prompt(2, 70)}, "padded": {prompt(1, 70), prompt(2, 33)}} {
		for which, exp := range interventions(t) {
			t.Run(name+"/"+which, func(t *testing.T) {
				whole, _, _ := saved(t, m, prompts, sink.Options{Measures: sink.Everything, Experiment: exp})
				blocks, _, _ := saved(t, m, prompts, sink.Options{Measures: sink.Everything, Experiment: exp, BlockRows: 8})
				a, err := safetensors.Open(whole)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				b, err := safetensors.Open(blocks)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				for _, tensor := range a.Names() {
					x, y := values(t, a, tensor), values(t, b, tensor)
					for i := range x {
						if d := math.Abs(x[i] - y[i]); !(d <= 4e-6*math.Max(1, math.Abs(x[i]))) {
							t.Fatalf("%s[%d] is %g whole and %g by blocks", tensor, i, x[i], y[i])
						}
					}
				}
			})
		}
	}
}

func values(t *testing.T, f *safetensors.File, name string) []float64 {
	t.Helper()
	x, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	if x.DType == "I32" {
		v, err := x.Int32s()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range v {
			out = append(out, float64(i))
		}
		return out
	}
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range v {
		out = append(out, float64(f))
	}
	return out
}

func TestSavedSurveyIsDeterministicAndComesBack(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{prompt(1, 70), prompt(2, 33)}
	path, arrays, header := saved(t, m, prompts, sink.Options{Measures: sink.Everything})
	_, again, headerAgain := saved(t, tinyModel(t), prompts, sink.Options{Measures: sink.Everything})
	if !bytes.Equal(arrays, again) || !bytes.Equal(header, headerAgain) {
		t.Error("two runs with the same seed wrote different files")
	}
	s, err := sink.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "arrays.safetensors")
	if err := s.Save(second); err != nil {
		t.Fatal(err)
	}
	back, err := os.ReadFile(second)
	if err != nil || !bytes.Equal(arrays, back) {
		t.Errorf("a loaded survey saves other bytes (%v)", err)
	}
	if v, err := s.Map(1); err != nil || len(v) != 35 || !math.IsNaN(v[0][1]) || v[34][0] <= 0 {
		t.Errorf("map of 70 tokens in cells of 2: %d rows, %v", len(v), err)
	}
}

func TestLoadRefusesWhatDoesNotFit(t *testing.T) {
	path, arrays, header := saved(t, tinyModel(t), [][]int{prompt(1, 20)}, sink.Options{Measures: sink.Rows})
	jsonPath := strings.TrimSuffix(path, ".safetensors") + ".json"
	for name, c := range map[string]struct{ header, arrays, want string }{
		"other length":     {strings.Replace(string(header), "\"lengths\": [\n  20", "\"lengths\": [\n  21", 1), string(arrays), "expected [3 4"},
		"more measured":    {strings.Replace(string(header), "\"measures\": 1", "\"measures\": 31", 1), string(arrays), "key-norm.0"},
		"another format":   {strings.Replace(string(header), "\"format\": 1", "\"format\": 9", 1), string(arrays), "format 9"},
		"no layers":        {strings.Replace(string(header), "\"layers\": 3", "\"layers\": 0", 1), string(arrays), "layers 0"},
		"truncated arrays": {string(header), string(arrays[:len(arrays)-8]), "arrays.safetensors"},
	} {
		if c.header == string(header) && c.arrays == string(arrays) {
			t.Fatalf("%s: nothing was changed", name)
		}
		os.WriteFile(jsonPath, []byte(c.header), 0o644)
		os.WriteFile(path, []byte(c.arrays), 0o644)
		if _, err := sink.Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected an error with %q", name, err, c.want)
		}
	}
}

func TestWhatWasNotMeasuredIsSaid(t *testing.T) {
	s, err := sink.Run(tinyModel(t), [][]int{prompt(1, 20)}, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Entropy(); err == nil || !strings.Contains(err.Error(), "rows") {
		t.Errorf("entropy without Rows: %v", err)
	}
	if _, err := s.MassiveActivations(); err == nil || !strings.Contains(err.Error(), "massive") {
		t.Errorf("massive activations without Massive: %v", err)
	}
}

func TestCompareIsPaired(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{prompt(1, 40), prompt(2, 40), prompt(3, 40)}
	opts := sink.Options{Measures: sink.Rows | sink.Masks, T: 40}
	before, err := sink.Run(m, prompts, opts)
	if err != nil {
		t.Fatal(err)
	}
	same, err := sink.Compare(before, before, []float64{0.3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range same.Rows {
		if r.Change.Mean != 0 || r.Change.CI95 != (stats.Interval{}) || len(r.Layers) != 3 {
			t.Errorf("%s changes by %+v between a survey and itself", r.Name, r.Change)
		}
	}
	opts.Experiment = interventions(t)["rewritten"]
	after, err := sink.Run(m, prompts, opts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sink.Compare(before, after, []float64{0.3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Rows {
		if r.Name == "row sum" && (r.Change.CI95.Low <= 0 || r.Layers[0].Mean != 0 || math.Abs(r.After-r.Before-r.Change.Mean) > 1e-9) {
			t.Errorf("emulation adds mass to rows below layer 0: %+v", r)
		}
	}
	opts.T = 30
	shorter, err := sink.Run(m, prompts, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Compare(before, shorter, nil, 1); err == nil {
		t.Error("surveys at different T are not refused")
	}
}
