package figures_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/sink/figures"
)

// surveyOf surveys a model of so many layers and heads at T tokens.
func surveyOf(t *testing.T, layers, heads, tokens int) *sink.Survey {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 4 * heads, IntermediateSize: 16, Layers: layers, Heads: heads, KVHeads: heads, HeadDim: 4,
		MaxPositions: 512, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	prompts := make([][]int, 2)
	for i := range prompts {
		for k := range tokens {
			prompts[i] = append(prompts[i], (k*k*5+k*7+i)%90+3)
		}
	}
	s, err := sink.Run(m, prompts, sink.Options{Measures: sink.Everything, T: tokens})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryFigureSaysWhatItShows(t *testing.T) {
	for name, s := range map[string]*sink.Survey{"32 x 32": surveyOf(t, 32, 32, 16), "long": surveyOf(t, 2, 2, 300)} {
		o := figures.Of{Model: "tiny", Survey: s, Seed: 1}
		classes := make([][]tokenizer.Class, 2)
		for i := range classes {
			classes[i] = make([]tokenizer.Class, s.T)
			for k := range classes[i] {
				classes[i][k] = tokenizer.Class(k % 3)
			}
		}
		shares, err := s.ByClass(classes)
		if err != nil {
			t.Fatal(err)
		}
		for which, draw := range map[string]func() (note.Figure, error){
			"sink map":   func() (note.Figure, error) { return figures.SinkMap(o) },
			"token map":  func() (note.Figure, error) { return figures.TokenMap(o, 1) },
			"layer map":  func() (note.Figure, error) { return figures.LayerMap(o, 1) },
			"similarity": func() (note.Figure, error) { return figures.Similarity(o) },
			"entropy":    func() (note.Figure, error) { return figures.Entropy(o) },
			"distance":   func() (note.Figure, error) { return figures.Distance(o) },
			"classes":    func() (note.Figure, error) { return figures.Classes(o, shares) },
			"rates":      func() (note.Figure, error) { return figures.Rates(o, []float64{0.1, 0.2, 0.3}) },
			"beside": func() (note.Figure, error) {
				after := o
				after.Model = "tuned"
				return figures.Beside(o, after, figures.Statistic{Name: "entropy", Title: "Row entropy", Unit: "nats", Of: (*sink.Survey).Entropy})
			},
		} {
			f, err := draw()
			if err != nil {
				t.Errorf("%s, %s: %v", name, which, err)
				continue
			}
			if _, err := png.Decode(bytes.NewReader(f.PNG)); err != nil {
				t.Errorf("%s, %s: %v", name, which, err)
			}
			for _, word := range []string{"tiny", "layer", "head", "prompt", "post-softmax"} {
				if !strings.Contains(f.Caption, word) {
					t.Errorf("%s, %s: the caption %q does not say its %s", name, which, f.Caption, word)
				}
			}
		}
	}
}

// TestBesideRefusesOtherPrompts holds two surveys apart that cannot be compared layer by layer.
func TestBesideRefusesOtherPrompts(t *testing.T) {
	a, b := figures.Of{Model: "a", Survey: surveyOf(t, 2, 2, 16)}, figures.Of{Model: "b", Survey: surveyOf(t, 3, 2, 16)}
	_, err := figures.Beside(a, b, figures.Statistic{Name: "entropy", Title: "Row entropy", Unit: "nats", Of: (*sink.Survey).Entropy})
	if err == nil || !strings.Contains(err.Error(), "2 layers") || !strings.Contains(err.Error(), "3 layers") {
		t.Errorf("error %v, expected both depths in it", err)
	}
}
