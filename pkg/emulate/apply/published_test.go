package apply_test

import (
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/model"
)

// written makes every head of every layer attend as these rows say.
type written [][]float32

func (w written) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "written", Build: func(s *attention.Site) {
		s.SetProbs(BroadcastToDims(InsertAxes(Const(s.Query.Graph(), [][]float32(w)), 0, 0), s.Probs().Shape().Dimensions...))
	}}
}

// seen emits the probabilities as they stand.
type seen struct{}

func (seen) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "seen", Build: func(s *attention.Site) { s.Emit("probs", s.Probs()) }}
}

// rows are four queries' attention. Keys receive 0.35, 0.6333, 0.25 and 0.2 in the mean over the queries that see them; over the first three queries 0.4333, 0.7
// and 0.3.
var rows = written{{1, 0, 0, 0}, {0.2, 0.8, 0, 0}, {0.1, 0.6, 0.3, 0}, {0.1, 0.5, 0.2, 0.2}}

// under is head 0's attention in the first layer when a Spec acts on rows.
func under(t *testing.T, s emulate.Spec, extent model.Extent) [][]float32 {
	t.Helper()
	r, err := tinyModel(t).Forward(model.Batch{Tokens: [][]int{prompt(1, 4)}, Extents: []model.Extent{extent}, Bucket: 1}, model.Outputs{}, attention.Sequence(rows, experiment(t, s), seen{}))
	if err != nil {
		t.Fatal(err)
	}
	flat := tensors.MustCopyFlatData[float32](r.Emitted["probs"][0])
	out := make([][]float32, 4)
	for i := range out {
		out[i] = flat[4*i : 4*i+4]
	}
	return out
}

// TestPublishedNeighboursByHand: which keys ACT and PASTA damp, and what becomes of the rows, computed by hand.
func TestPublishedNeighboursByHand(t *testing.T) {
	act := func(tau float64) emulate.Spec {
		s := emulate.ACT()
		s.Tau = tau
		return s
	}
	running := act(0.55)
	running.Mask = emulate.MaskRunningSinks
	pasta := emulate.PASTA([][2]int{{1, 2}}, nil)
	highlighted := emulate.PASTA(nil, nil)
	for _, c := range []struct {
		name   string
		spec   emulate.Spec
		extent model.Extent
		want   [][]float32
	}{
		// Only key 1 is a sink: the first that is detected, though it is not at position 0, so it stays.
		{"act, one sink", act(0.4), model.Extent{}, rows},
		// Keys 0 and 1 are: 0 is the first. Rows give 0.6 of what key 1 had to the others.
		{"act, two sinks", act(0.3), model.Extent{}, [][]float32{{1, 0, 0, 0}, {0.68, 0.32, 0, 0}, {0.19, 0.24, 0.57, 0}, {0.16, 0.2, 0.32, 0.32}}},
		// With a prompt of three tokens key 0 receives 0.4333 and key 1 0.7; the row behind the prompt stays.
		{"act behind a prompt", act(0.4), model.Extent{Prompt: 3}, [][]float32{{1, 0, 0, 0}, {0.68, 0.32, 0, 0}, {0.19, 0.24, 0.57, 0}, rows[3]}},
		// Running means: row 1 sees key 0 at 0.6 and key 1 at 0.8; from row 2 on only key 1 is above 0.55, the first.
		{"running act", running, model.Extent{}, [][]float32{{1, 0, 0, 0}, {0.68, 0.32, 0, 0}, rows[2], rows[3]}},
		// Keys other than 1 count a hundredth.
		{"pasta", pasta, model.Extent{}, [][]float32{{1, 0, 0, 0}, {0.002 / 0.802, 0.8 / 0.802, 0, 0}, {0.001 / 0.604, 0.6 / 0.604, 0.003 / 0.604, 0}, {0.001 / 0.505, 0.5 / 0.505, 0.002 / 0.505, 0.002 / 0.505}}},
		// Key 3 stands behind the prompt: it was generated and is never damped.
		{"pasta behind a prompt", pasta, model.Extent{Prompt: 3}, [][]float32{{1, 0, 0, 0}, {0.002 / 0.802, 0.8 / 0.802, 0, 0}, {0.001 / 0.604, 0.6 / 0.604, 0.003 / 0.604, 0}, {0.001 / 0.703, 0.5 / 0.703, 0.002 / 0.703, 0.2 / 0.703}}},
		{"pasta on the prompt's highlight", highlighted, model.Extent{Prompt: 3, Span: [2]int{1, 2}}, [][]float32{{1, 0, 0, 0}, {0.002 / 0.802, 0.8 / 0.802, 0, 0}, {0.001 / 0.604, 0.6 / 0.604, 0.003 / 0.604, 0}, {0.001 / 0.703, 0.5 / 0.703, 0.002 / 0.703, 0.2 / 0.703}}},
		{"pasta without a highlight", highlighted, model.Extent{}, rows}, // all keys alike
	} {
		got := under(t, c.spec, c.extent)
		for i := range got {
			for j := range got[i] {
				if math.Abs(float64(got[i][j]-c.want[i][j])) > 1e-6 {
					t.Errorf("%s: row %d is %v, expected %v", c.name, i, got[i], c.want[i])
					break
				}
			}
		}
	}
}

// TestHighlightsActInDecodingAsInWholePasses: the span of each prompt travels with it.
func TestHighlightsActInDecodingAsInWholePasses(t *testing.T) {
	m := tinyModel(t)
	prompts, extents := [][]int{prompt(1, 15), prompt(2, 9)}, []model.Extent{{Span: [2]int{3, 7}}, {Span: [2]int{1, 3}}}
	e := experiment(t, emulate.PASTA(nil, nil))
	generated := func(extents []model.Extent) [][]int {
		g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 10, IgnoreEOS: true, Chunk: 4, Extents: extents}, e)
		if err != nil {
			t.Fatal(err)
		}
		return g.Tokens
	}
	got := generated(extents)
	differs := false
	for b, p := range prompts {
		x := extents[b]
		x.Prompt = len(p)
		seq := append([]int{}, p...)
		for range got[b] {
			r, err := m.Forward(model.Batch{Tokens: [][]int{seq}, Extents: []model.Extent{x}}, model.Outputs{Logits: true}, e)
			if err != nil {
				t.Fatal(err)
			}
			l := tensors.MustCopyFlatData[float32](r.Logits)[(len(seq)-1)*vocab : len(seq)*vocab]
			best := 0
			for i, v := range l {
				if v > l[best] {
					best = i
				}
			}
			if want := got[b][len(seq)-len(p)]; best != want {
				t.Errorf("prompt %d, token %d: decoding gives %d, a whole pass %d", b, len(seq)-len(p), want, best)
			}
			seq = append(seq, best)
		}
		for i, id := range generated(nil)[b] {
			differs = differs || id != got[b][i]
		}
	}
	if !differs {
		t.Error("the highlight changes nothing: the test says little")
	}
}

// TestMethodsForChosenHeadsSayWhereTheyActOnAll: in the words that notes print.
func TestMethodsForChosenHeadsSayWhereTheyActOnAll(t *testing.T) {
	pair := [2]int{1, 2}
	for _, s := range []emulate.Spec{emulate.ACT(), emulate.ZeroTuning(2), emulate.PASTA(nil, nil), emulate.Suppress(0.5)} {
		if words := s.String(); !strings.Contains(words, "in all heads of all layers") {
			t.Errorf("%q does not say that it acts on all heads", words)
		}
	}
	for _, s := range []emulate.Spec{emulate.ACT(pair), emulate.ZeroTuning(2, pair), emulate.PASTA(nil, [][2]int{pair})} {
		if words := s.String(); strings.Contains(words, "all heads") || !strings.Contains(words, "layer-heads [[1 2]]") {
			t.Errorf("%q does not name its heads", words)
		}
	}
}

func TestExtentsThatCannotBeAreRefused(t *testing.T) {
	m := tinyModel(t)
	for _, x := range [][]model.Extent{{{Prompt: 9}}, {{Span: [2]int{3, 2}}}, {{Span: [2]int{0, 9}}}, {{}, {}}} {
		if _, err := m.Forward(model.Batch{Tokens: [][]int{prompt(1, 4)}, Extents: x}, model.Outputs{Logits: true}, nil); err == nil {
			t.Errorf("%+v of four tokens: no error", x)
		}
	}
}
