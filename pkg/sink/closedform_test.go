package sink_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

// constructed is a model whose residual stream is the embedding in every layer (attention and MLP write nothing into it) and whose rotary base is so
// large that only the first pair of each head, dimensions 0 and 4, turns. embed, q and k say what token t, and what head dimension d reads from
// channel c.
func constructed(t testing.TB, embed func(token, c int) float32, q, k func(d, c int) float32) *model.Model {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 128, NormEps: 1e-5, RopeTheta: 1e30, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, rows, cols int, f func(r, c int) float32) {
		flat := make([]float32, 0, rows*cols)
		for r := range rows {
			for c := range cols {
				flat = append(flat, f(r, c))
			}
		}
		m.Store().GetVariable("/" + name).MustSetValue(tensors.FromFlatDataAndDimensions(flat, rows, cols))
	}
	zero := func(int, int) float32 { return 0 }
	set("model.embed_tokens.weight", 97, 32, embed)
	for l := range 3 {
		p := fmt.Sprintf("model.layers.%d.", l)
		set(p+"self_attn.q_proj.weight", 32, 32, func(r, c int) float32 { return q(r%8, c) })
		set(p+"self_attn.k_proj.weight", 16, 32, func(r, c int) float32 { return k(r%8, c) })
		set(p+"self_attn.o_proj.weight", 32, 32, zero)
		set(p+"mlp.down_proj.weight", 32, 48, zero)
	}
	return m
}

func when(b bool, v float32) float32 {
	if b {
		return v
	}
	return 0
}

// firstModel puts all attention on BOS: its key alone is not zero, and every query points to it. The score is 30^2 sqrt(16) sqrt(32) / sqrt(8), far
// beyond what leaves another key above zero in float32.
func firstModel(t testing.TB) *model.Model {
	embed := func(token, c int) float32 { return when(c == 1 || c == 0 && token == 1, 1) }
	return constructed(t, embed,
		func(d, c int) float32 { return when(d == 3 && c == 1, 30) },
		func(d, c int) float32 { return when(d == 3 && c == 0, 30) })
}

// diagonalModel puts all attention on the query itself: twelve tokens have twelve keys, plus and minus six axes.
func diagonalModel(t testing.TB) *model.Model {
	axes := []int{1, 2, 3, 5, 6, 7}
	code := func(d, c int) float32 {
		if c >= 12 || d != axes[c%6] {
			return 0
		}
		return []float32{30, -30}[c/6]
	}
	return constructed(t, func(token, c int) float32 { return when(c == token, 1) }, code, code)
}

// expectation is what a closed form gives; each is a mean over queries.
type expectation struct {
	name string
	got  func(*sink.Survey) (*sink.PerHead, error)
	want float64
}

func average(n int, f func(i int) float64) float64 {
	sum := 0.0
	for i := range n {
		sum += f(i) / float64(n)
	}
	return sum
}

func TestClosedForms(t *testing.T) {
	const tau, window, late = 0.05, 5, 8
	twelve := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for _, c := range []struct {
		name   string
		model  *model.Model
		prompt []int
		want   func(n int) []expectation
	}{
		{"uniform", uniformModel(t), prompt(1, 50), func(n int) []expectation {
			marked := 0.0
			for i := range n {
				if 1/float64(i+1) > tau+1e-9 {
					marked += float64(i)
				}
			}
			return []expectation{
				{"entropy", (*sink.Survey).Entropy, average(n, func(i int) float64 { return math.Log(float64(i + 1)) })},
				{"first", (*sink.Survey).FirstShare, average(n, func(i int) float64 { return 1 / float64(i+1) })},
				{"late first", (*sink.Survey).LateFirstShare, average(n-late, func(i int) float64 { return 1 / float64(i+late+1) })},
				{"diagonal", (*sink.Survey).DiagonalShare, average(n, func(i int) float64 { return 1 / float64(i+1) })},
				{"local", (*sink.Survey).LocalShare, average(n, func(i int) float64 { return math.Min(window, float64(i+1)) / float64(i+1) })},
				{"distance", (*sink.Survey).Distance, average(n, func(i int) float64 { return float64(i) / 2 })},
				{"density", (*sink.Survey).Density, marked / float64(n*(n-1)/2)},
				{"overlap", (*sink.Survey).Overlap, 1}, {"row sum", (*sink.Survey).RowSum, 1},
			}
		}},
		{"first", firstModel(t), prompt(1, 40), func(n int) []expectation {
			return []expectation{
				{"entropy", (*sink.Survey).Entropy, 0}, {"first", (*sink.Survey).FirstShare, 1}, {"late first", (*sink.Survey).LateFirstShare, 1},
				{"diagonal", (*sink.Survey).DiagonalShare, 1 / float64(n)}, {"local", (*sink.Survey).LocalShare, window / float64(n)},
				{"distance", (*sink.Survey).Distance, float64(n-1) / 2}, {"density", (*sink.Survey).Density, 2 / float64(n)},
				{"overlap", (*sink.Survey).Overlap, 1}, {"row sum", (*sink.Survey).RowSum, 1},
			}
		}},
		{"diagonal", diagonalModel(t), twelve, func(n int) []expectation {
			return []expectation{
				{"entropy", (*sink.Survey).Entropy, 0}, {"first", (*sink.Survey).FirstShare, 1 / float64(n)}, {"late first", (*sink.Survey).LateFirstShare, 0},
				{"diagonal", (*sink.Survey).DiagonalShare, 1}, {"local", (*sink.Survey).LocalShare, 1}, {"distance", (*sink.Survey).Distance, 0},
				{"density", (*sink.Survey).Density, 0}, {"overlap", (*sink.Survey).Overlap, 1}, {"row sum", (*sink.Survey).RowSum, 1},
			}
		}},
	} {
		for _, rows := range []int{0, 7} {
			t.Run(fmt.Sprintf("%s/rows %d", c.name, rows), func(t *testing.T) {
				tolerance := 2e-6
				if rows > 0 && backend.IsXLA(c.model.Backend) {
					// XLA computes scale * product - LSE with one rounding, and the LSE was rounded: half the distance of float32 at these models' largest
					// score, 30^2 * 16 / sqrt(8) = 5,091. See blocks.
					tolerance += 5091 * 0x1p-24
				}
				s, err := sink.Run(c.model, [][]int{c.prompt}, sink.Options{Measures: sink.Everything, Tau: tau, Window: window, Late: late, BlockRows: rows})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range c.want(len(c.prompt)) {
					v, err := e.got(s)
					if err != nil {
						t.Fatal(err)
					}
					for l, heads := range v.ByHead() {
						for h, got := range heads {
							if !(math.Abs(got-e.want) <= tolerance*math.Max(1, math.Abs(e.want))) {
								t.Errorf("%s in layer %d, head %d is %g, expected %g", e.name, l, h, got, e.want)
							}
						}
					}
				}
				similar, err := s.Similarities()
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(similar[0][2]-1) > 1e-6 {
					t.Errorf("layers with one pattern are %g alike, expected 1", similar[0][2])
				}
			})
		}
	}
}

func TestSinkRatesOfClosedForms(t *testing.T) {
	survey := func(m *model.Model, p []int) *sink.Survey {
		s, err := sink.Run(m, [][]int{p}, sink.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := survey(firstModel(t), prompt(1, 40))
	rates, err := first.SinkRates(0, []float64{0.1, 0.999})
	if err != nil {
		t.Fatal(err)
	}
	if rates[0].Value != 1 || rates[1].Value != 1 {
		t.Errorf("all heads sink on position 0, rates %v", rates)
	}
	hidden, err := first.HiddenSinks(sink.DefaultHidden, 1)
	if err != nil || len(hidden) != 0 {
		t.Errorf("all attention on position 0 leaves hidden sinks %v, %v", hidden, err)
	}
	diagonal := survey(diagonalModel(t), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	// Key k is seen by 12-k queries, one of which gives it all.
	hidden, err = diagonal.HiddenSinks(sink.DefaultHidden, 1)
	if err != nil || len(hidden) != 9 || hidden[0].Token != 3 && hidden[0].Heads != 12 {
		t.Errorf("1/(12-k) is above 0.1 for k = 3..11, found %d: %+v, %v", len(hidden), hidden, err)
	}
	hidden, _ = diagonal.HiddenSinks(sink.DefaultHidden, 9)
	if len(hidden) != 1 || hidden[0].Token != 3 || hidden[0].Heads != 12 || math.Abs(hidden[0].Received-1.0/9) > 1e-6 {
		t.Errorf("of keys that 9 queries see only number 3 is above 0.1, found %+v", hidden)
	}
}

// TestRateGridOfAClosedForm: under uniform attention position 0 receives the mean of 1/(i+1), the T-th harmonic number over T: 0.34 of 8 tokens, 0.21 of 16.
func TestRateGridOfAClosedForm(t *testing.T) {
	grid, err := sink.RateGrid(uniformModel(t), [][]int{prompt(1, 16), prompt(2, 30)}, 0, []float64{0.2, 0.3, 0.4}, []int{8, 16}, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float64{{1, 1, 0}, {1, 0, 0}} {
		for j, r := range grid[i] {
			if r.Value != want[j] || r.T != []int{8, 16}[i] || r.Prompts != 2 {
				t.Errorf("rate of uniform attention %+v, expected %g", r, want[j])
			}
		}
	}
}

func TestOutliersOfClosedForms(t *testing.T) {
	p := prompt(1, 40)
	s, err := sink.Run(firstModel(t), [][]int{p}, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := s.Outliers(sink.OutlierOptions{})
	for k, n := range o.Counts[0] {
		want := 0
		switch {
		case k == 0:
			want = 12 // every head of every layer
		case k > 40-8:
			want = -1
		}
		if n != want {
			t.Errorf("token %d is an outlier in %d heads, expected %d", k, n, want)
		}
	}
	classes := make([]tokenizer.Class, 40)
	for k := range classes {
		classes[k] = tokenizer.ContentWord
	}
	classes[0] = tokenizer.Special
	shares, err := o.ByClass(s, [][]tokenizer.Class{classes})
	if err != nil {
		t.Fatal(err)
	}
	if shares[tokenizer.Special].Outliers != 1 || math.Abs(shares[tokenizer.Special].Tokens-1.0/33) > 1e-12 || shares[tokenizer.ContentWord].PerLayer[2] != 0 {
		t.Errorf("BOS is the only outlier of 33 tokens: %+v", shares)
	}
	if special := shares[tokenizer.Special]; len(special.Found) != 1 || special.Found[0] != 12 || special.All[0] != 12 || special.CI95(1) != (stats.Interval{Low: 1, High: 1}) {
		t.Errorf("the prompt's outliers, one in each of 12 heads, are all special: %+v", special)
	}
	if got := s.Outliers(sink.OutlierOptions{SkipFirst: true}).PerLayer[0]; got != 0 {
		t.Errorf("without position 0 there is no outlier, found a share of %g", got)
	}
}

// TestMassiveActivationsAreFound plants one and a large entry that is not massive by the second threshold.
func TestMassiveActivationsAreFound(t *testing.T) {
	none := func(int, int) float32 { return 0 }
	embed := func(token, c int) float32 {
		switch {
		case token == 1 && c == 7:
			return -5000
		case token == 1 && c == 9:
			return 1500
		case c == 20:
			return 150 // above 100, not above 1000 medians
		}
		return 0.5
	}
	s, err := sink.Run(constructed(t, embed, none, none), [][]int{prompt(1, 30), prompt(2, 21)}, sink.Options{Measures: sink.Massive | sink.Norms})
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.MassiveActivations()
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2*3*2 {
		t.Fatalf("found %+v, expected channels 7 and 9 of token 0 behind three layers of two prompts", found)
	}
	if want := (sink.MassiveActivation{Prompt: 0, Layer: 0, Token: 0, Channel: 7, Magnitude: 5000, Median: 0.5}); found[0] != want {
		t.Errorf("found %+v, expected %+v", found[0], want)
	}
	magnitude, ratio, err := s.Largest()
	if err != nil || magnitude[2] != 5000 || ratio[2] != 10000 {
		t.Errorf("largest %v, %v medians (%v), expected 5000 and 10000", magnitude, ratio, err)
	}
	norms, err := s.NormsAt(0)
	if err != nil {
		t.Fatal(err)
	}
	other := math.Sqrt(150*150 + 31*0.25)
	if p := norms.ResidualPerPrompt[1]; len(p) != 2 || math.Abs((p[0]+p[1])/2-norms.Residual[1]) > 1e-9*norms.Residual[1] {
		t.Errorf("ratios %v of two prompts, mean %g", p, norms.Residual[1])
	}
	if want := math.Sqrt(5000*5000+1500*1500+150*150+29*0.25) / other; math.Abs(norms.Residual[1]-want) > 1e-4*want {
		t.Errorf("the residual of token 0 is %g times the others', expected %g", norms.Residual[1], want)
	}
}
