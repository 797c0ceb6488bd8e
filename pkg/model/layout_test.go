package model

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
)

// asStored opens a reference checkpoint with its weights laid out as they are in the file.
func asStored(t *testing.T, name string) *Model {
	t.Helper()
	m, err := Load("../../testdata/reference/"+name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.splitAll(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestArrangedWeightsAreTheSameModel fuses or transposes the weights of reference checkpoints, as opening them does where it pays, and undoes it.
func TestArrangedWeightsAreTheSameModel(t *testing.T) {
	changes := map[string][2]int{ // fused products and input-major ones
		"llama": {6, 21}, "qwen2": {6, 21}, "gemma3_text": {12, 42}, "gpt_neo": {4, 24}, "gpt_oss": {3, 12}, "gpt2": {0, 0}, "gpt_neox": {0, 12}, "phi3": {0, 12},
		"gemma4_text": {4, 19}, "gemma4_text-shared": {6, 24}, // layers of two head sizes
	}
	for name, want := range changes {
		for _, arrange := range []func(*Model) error{(*Model).fuseAll, (*Model).toInputMajor} {
			m := asStored(t, name)
			generate := func() []int {
				g, err := m.Generate([][]int{{1, 9, 30, 12, 5}, {1, 44}}, GenerateOptions{MaxTokens: 12, IgnoreEOS: true}, nil)
				if err != nil {
					t.Fatal(err)
				}
				return slices.Concat(g.Tokens...)
			}
			weights := func() map[string][]float32 {
				all := map[string][]float32{}
				for _, w := range m.weights {
					v, err := m.weight(w)
					if err != nil {
						t.Fatal(err)
					}
					all[w.name] = v
				}
				return all
			}
			before, tokens := weights(), generate()
			check := func(state string) {
				t.Helper()
				if got := generate(); !slices.Equal(got, tokens) {
					t.Errorf("%s, %s: generates %v, expected %v", name, state, got, tokens)
				}
				for w, v := range weights() {
					if !slices.Equal(v, before[w]) {
						t.Errorf("%s, %s: %s has changed", name, state, w)
					}
				}
			}
			if err := arrange(m); err != nil {
				t.Fatal(err)
			}
			if fused, inputMajor := len(m.fused), len(m.inputMajor); [2]int{fused, inputMajor} != [2]int{want[0], 0} && [2]int{fused, inputMajor} != [2]int{0, want[1]} {
				t.Errorf("%s: %d fused and %d input-major products, expected %d or %d", name, fused, inputMajor, want[0], want[1])
			}
			check("arranged")
			dir := t.TempDir()
			if err := m.Save(dir, dtypes.Float32); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir, Options{}); err != nil {
				t.Errorf("%s: what an arranged model saves does not load: %v", name, err)
			}
			for _, w := range m.weights {
				if m.Store().GetVariable("/"+w.name) == nil {
					t.Errorf("%s: the Store has no %s", name, w.name)
				}
			}
			check("as stored again")
			if len(m.fused)+len(m.inputMajor) != 0 {
				t.Errorf("%s: the Store was asked for and weights are still arranged", name)
			}
		}
	}
}

// TestAdaptersReachPartsOfJoinedProducts by the checkpoint's names.
func TestAdaptersReachPartsOfJoinedProducts(t *testing.T) {
	m := asStored(t, "llama")
	if err := m.fuseAll(); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Projections(), "q_proj") {
		t.Errorf("the projections of a fused model are %v", m.Projections())
	}
	if err := m.AttachAdapter(Adapter{Rank: 2, Targets: []string{"q_proj", "up_proj"}}, 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range m.AdapterModules() {
		if !strings.HasSuffix(name, "q_proj") && !strings.HasSuffix(name, "up_proj") {
			t.Errorf("adapts %s", name)
		}
	}
	if n := len(m.AdapterModules()); n != 6 || len(m.fused) != 0 {
		t.Errorf("%d modules adapted, %d products fused", n, len(m.fused))
	}
}
