package sink_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// TestActivationsAreAlikeInEveryFamily reads all three of every layer of a checkpoint of each family.
func TestActivationsAreAlikeInEveryFamily(t *testing.T) {
	found, err := filepath.Glob(filepath.Join("..", "..", "testdata", "reference", "*", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		m, err := model.Load(filepath.Dir(path), model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		name, c := filepath.Base(filepath.Dir(path)), m.Config
		ids := []int{1, 9, 30, 12, 5}
		for l := range c.Layers {
			for what, want := range map[string][]int{sink.ActAttention: {c.Heads, 5, 5}, sink.ActMLP: {5, c.HiddenSize}, sink.ActResidual: {5, c.HiddenSize}} {
				x, err := sink.Activation(m, ids, what, l, nil)
				if err != nil {
					t.Fatalf("%s, %s of layer %d: %v", name, what, l, err)
				}
				got := x.Shape().Dimensions
				if !slices.Equal(got, want) {
					t.Errorf("%s: %s of layer %d is %v, expected %v", name, what, l, got, want)
				}
				tensors.MustConstFlatData(x, func(flat []float32) {
					most := 0.0
					for _, v := range flat {
						most = max(most, math.Abs(float64(v)))
					}
					if !(most > 0) {
						t.Errorf("%s: %s of layer %d has nothing but zeros (%g)", name, what, l, most)
					}
				})
			}
		}
		modules := m.Modules(0)
		if modules.Layer == "" || !strings.HasPrefix(modules.Attention, modules.Layer+".") || !strings.HasPrefix(modules.MLP, modules.Layer+".") {
			t.Errorf("%s: modules %+v", name, modules)
		}
	}
}

// TestResidualGrowsByTheMLP in a layer whose attention adds nothing.
func TestResidualGrowsByTheMLP(t *testing.T) {
	m := tinyModel(t)
	m.Store().GetVariable("/model.layers.1.self_attn.o_proj.weight").MustSetValue(tensors.FromScalarAndDimensions(float32(0), 32, 32))
	read := func(name string, layer int) []float32 {
		x, err := sink.Activation(m, prompt(1, 7), name, layer, nil)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](x)
	}
	before, mlp, after := read(sink.ActResidual, 0), read(sink.ActMLP, 1), read(sink.ActResidual, 1)
	for i := range after {
		if d := math.Abs(float64(after[i] - before[i] - mlp[i])); !(d < 1e-5) {
			t.Fatalf("entry %d is %g, expected %g and %g", i, after[i], before[i], mlp[i])
		}
	}
}

func TestActivationsThatAreNot(t *testing.T) {
	m := tinyModel(t)
	for name, layer := range map[string]int{"hook_resid_post": 0, sink.ActMLP: 3, sink.ActResidual: -1} {
		if _, err := sink.Activation(m, []int{1, 2}, name, layer, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s of layer %d: %v", name, layer, err)
		}
	}
}
