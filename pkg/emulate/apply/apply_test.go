package apply_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

const layers, heads, vocab = 4, 4, 97

func tinyModel(t testing.TB) *model.Model {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: vocab, HiddenSize: 32, IntermediateSize: 48, Layers: layers, Heads: heads, KVHeads: 2, HeadDim: 8,
		MaxPositions: 256, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func prompt(seed, n int) []int {
	p := []int{1}
	for i := 1; i < n; i++ {
		p = append(p, (seed*17+i*i*5+i)%(vocab-3)+3)
	}
	return p
}

func experiment(t testing.TB, s emulate.Spec) model.Experiment {
	t.Helper()
	e, err := apply.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// maps returns one prompt's attention, [layer][head][query][key].
func maps(t testing.TB, m *model.Model, p []int, e model.Experiment) [][][][]float64 {
	t.Helper()
	ts, err := sink.AttentionMaps(m, [][]int{p}, e)
	if err != nil {
		t.Fatal(err)
	}
	out := make([][][][]float64, len(ts))
	n := len(p)
	for l, x := range ts {
		flat := tensors.MustCopyFlatData[float32](x)
		out[l] = make([][][]float64, heads)
		for h := range out[l] {
			out[l][h] = make([][]float64, n)
			for i := range out[l][h] {
				for j := range n {
					out[l][h][i] = append(out[l][h][i], float64(flat[(h*n+i)*n+j]))
				}
			}
		}
	}
	return out
}

func logits(t testing.TB, m *model.Model, prompts [][]int, e model.Experiment) []float32 {
	t.Helper()
	r, err := m.Forward(model.Batch{Tokens: prompts}, model.Outputs{Logits: true}, e)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](r.Logits)
}

func TestAlphaZeroIsBitIdentical(t *testing.T) {
	m := tinyModel(t)
	p := [][]int{prompt(1, 30)}
	plain := logits(t, m, p, nil)
	for _, s := range []emulate.Spec{{}, {Tau: 0.01}, {Tau: 0.2, Renormalise: emulate.RenormaliseRow}} {
		if !slices.Equal(plain, logits(t, m, p, experiment(t, s))) {
			t.Errorf("%+v: logits are not those of the plain model, bit for bit", s)
		}
	}
}

// TestLayerOneRowsAreAsTheFormulaSays checks layer 1, whose input no intervention has touched, entry by entry: masked entries times the gain,
// the diagonal and everything else unchanged, and so the row sums of method: 1 + alpha(1 - l/last) * sum_j M A.
func TestLayerOneRowsAreAsTheFormulaSays(t *testing.T) {
	m := tinyModel(t)
	p := prompt(2, 40)
	plain := maps(t, m, p, nil)
	for _, s := range []emulate.Spec{emulate.Released(), emulate.Literal(), {Alpha: 0.5, Tau: 0.05}, {Alpha: -0.5, Tau: 0.02}} {
		changed := maps(t, m, p, experiment(t, s))
		gain := 1 + s.Alpha*(1-1.0/(layers-1))
		passed := 0
		for h := range heads {
			for i := range p {
				for j := 0; j <= i; j++ {
					want := plain[1][h][i][j]
					if a0 := plain[0][h][i][j]; a0 > s.Tau && i != j {
						want *= gain
						passed++
					}
					if got := changed[1][h][i][j]; math.Abs(got-want) > 1e-6 {
						t.Fatalf("%v: head %d, query %d, key %d is %g, expected %g", s, h, i, j, got, want)
					}
				}
				for j := i + 1; j < len(p); j++ {
					if changed[1][h][i][j] != 0 {
						t.Fatalf("%v: query %d attends to the future key %d", s, i, j)
					}
				}
			}
		}
		if passed == 0 {
			t.Errorf("%v: the mask let nothing pass, the test says nothing", s)
		}
		if d := rowDifference(plain[0], changed[0]); d != 0 {
			t.Errorf("%v: layer 0 changed by %g", s, d)
		}
	}
}

func rowDifference(a, b [][][]float64) float64 {
	d := 0.0
	for h := range a {
		for i := range a[h] {
			for j := range a[h][i] {
				d = math.Max(d, math.Abs(a[h][i][j]-b[h][i][j]))
			}
		}
	}
	return d
}

func TestLastLayerRowsSumToOne(t *testing.T) {
	m := tinyModel(t)
	a := maps(t, m, prompt(3, 30), experiment(t, emulate.Literal()))
	for h := range heads {
		for i, row := range a[layers-1][h] {
			sum := 0.0
			for _, x := range row {
				sum += x
			}
			if math.Abs(sum-1) > 1e-6 {
				t.Errorf("last layer, head %d, query %d: the row sums to %g, expected 1", h, i, sum)
			}
		}
	}
}

func TestRenormalisedRowsSumToOne(t *testing.T) {
	m := tinyModel(t)
	s := emulate.Spec{Alpha: 1, Tau: 0.01, Renormalise: emulate.RenormaliseRow}
	a := maps(t, m, prompt(3, 30), experiment(t, s))
	plain := maps(t, m, prompt(3, 30), nil)
	for l := range layers {
		for h := range heads {
			for i, row := range a[l][h] {
				sum := 0.0
				for _, x := range row {
					sum += x
				}
				if math.Abs(sum-1) > 1e-6 {
					t.Errorf("layer %d, head %d, query %d: the row sums to %g, expected 1", l, h, i, sum)
				}
			}
		}
	}
	if rowDifference(plain[1], a[1]) < 1e-3 {
		t.Error("layer 1 is as without the intervention")
	}
}

// TestAtMostOneOverTauKeysPass: a row of probabilities sums to one, so at most 1/tau of them are above tau.
func TestAtMostOneOverTauKeysPass(t *testing.T) {
	m := tinyModel(t)
	const tau = 0.05
	a := maps(t, m, prompt(4, 200), nil)
	for h := range heads {
		for i, row := range a[0][h] {
			n := 0
			for _, x := range row {
				if x > tau {
					n++
				}
			}
			if n > 1/tau {
				t.Errorf("head %d, query %d: %d keys are above %g", h, i, n, tau)
			}
		}
	}
}

func TestDecodeEqualsPrefillUnderEmulation(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{prompt(1, 5), prompt(2, 19), prompt(3, 11)}
	for _, s := range []emulate.Spec{emulate.Released(), emulate.Literal(), emulate.FirstRelease(),
		{Alpha: 1, Tau: 0.01, Renormalise: emulate.RenormaliseRow}, {Alpha: 0.5, Tau: 0.05}, {Alpha: 0.5, Tau: 0.05, Last: 5}} {
		e := experiment(t, s)
		g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 20, Chunk: 7}, e)
		if err != nil {
			t.Fatal(err)
		}
		for b, p := range prompts {
			seq := slices.Clone(p)
			for range 20 {
				l := logits(t, m, [][]int{seq}, e)
				l = l[(len(seq)-1)*vocab : len(seq)*vocab]
				best := 0
				for i, x := range l {
					if x > l[best] {
						best = i
					}
				}
				seq = append(seq, best)
			}
			if !slices.Equal(g.Tokens[b], seq[len(p):]) {
				t.Errorf("%v, prompt %d: decoding gives %v, recomputation %v", s, b, g.Tokens[b], seq[len(p):])
			}
		}
	}
}

func TestPhaseRestrictsTheIntervention(t *testing.T) {
	m := tinyModel(t)
	p := [][]int{prompt(5, 25)}
	s := emulate.Literal()
	s.Phase = emulate.PhaseDecode
	if !slices.Equal(logits(t, m, p, nil), logits(t, m, p, experiment(t, s))) {
		t.Error("an intervention on decoding changes prefill")
	}
	gen := func(e model.Experiment) []int {
		g, err := m.Generate(p, model.GenerateOptions{MaxTokens: 40}, e)
		if err != nil {
			t.Fatal(err)
		}
		return g.Tokens[0]
	}
	if plain, decode := gen(nil), gen(experiment(t, s)); slices.Equal(plain, decode) {
		t.Error("an intervention on decoding leaves 40 greedy tokens as they were")
	}
}
