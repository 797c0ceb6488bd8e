package apply_test

import (
	"testing"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
)

// TestAGridSharesGraphs: the thirteen arms of the recipe ablate (untouched, base, two alphas, two taus, two sources, two renormalisations, three controls) need eight
// kinds of layer, on a model of thirty layers as on the embedded one.
func TestAGridSharesGraphs(t *testing.T) {
	grid := emulate.Grid{Base: emulate.Released(), Alphas: []float64{0.5, 1}, Taus: []float64{0.001, 0.05}, Sources: []int{1, 2}, Renormalise: []emulate.Renormalisation{"row", "keep-diagonal"}}
	points, err := grid.Points()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"uniform", "random", "local"} {
		p, err := grid.Control(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		points = append(points, p)
	}
	if len(points) != 12 {
		t.Fatalf("%d arms beside the untouched one, expected 12", len(points))
	}
	for _, layers := range []int{6, 30} {
		kinds := map[string]bool{"": true} // the untouched model's
		for _, p := range points {
			e, err := apply.New(p.Spec)
			if err != nil {
				t.Fatal(err)
			}
			for l := range layers {
				kinds[e.Visit(attention.Layer{Index: l, Dims: attention.Dims{Layers: layers, Heads: 4, Vocab: 100}}).Describe()] = true
			}
		}
		if len(kinds) > 8 {
			t.Errorf("%d layers: %d kinds of layer, expected 8 at most: %v", layers, len(kinds), kinds)
		}
	}
}

// TestArmsCompileWhatIsNew: what an intervention leaves alone is the untouched model's, and one that differs in numbers only builds nothing.
func TestArmsCompileWhatIsNew(t *testing.T) {
	m := tinyModel(t)
	want := model.Outputs{Targets: model.Targets{{{Position: 8, Token: 5}}}}
	suppress := emulate.Suppress(0.5)
	suppress.Layers = []int{2}
	for _, c := range []struct {
		name  string
		spec  emulate.Spec
		fresh int
	}{
		{"untouched", emulate.Spec{}, 3}, // embedding, layer, head
		{"released", emulate.Released(), 2}, {"literal", emulate.Literal(), 0}, {"source 1", emulate.Spec{Alpha: 0.2, Tau: 0.01, Source: []int{1}}, 0},
		{"uniform", emulate.Uniform(emulate.Released()), 1}, {"random", emulate.Random(emulate.Released(), 1), 1}, {"random, another seed", emulate.Random(emulate.Released(), 2), 0},
		{"one layer", suppress, 1},
	} {
		built := m.Compilations()
		if _, err := m.Forward(model.Prompts(prompt(1, 9)), want, experiment(t, c.spec)); err != nil {
			t.Fatal(err)
		}
		if n := m.Compilations() - built; n != c.fresh {
			t.Errorf("%s: %d new graphs, expected %d", c.name, n, c.fresh)
		}
	}
}
