package model

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
)

// TestJoinedProductsAreTheSameModel joins the products of reference checkpoints, as opening them in bfloat16 on an accelerator does, and takes them apart.
func TestJoinedProductsAreTheSameModel(t *testing.T) {
	joins := map[string]int{"llama": 6, "qwen2": 6, "gemma3_text": 12, "gpt_neo": 4, "gpt_oss": 3, "gpt2": 0, "gpt_neox": 0, "phi3": 0}
	for name, want := range joins {
		m, err := Load("../../testdata/reference/"+name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		prompts := [][]int{{1, 9, 30, 12, 5}, {1, 44}}
		generate := func() []int {
			g, err := m.Generate(prompts, GenerateOptions{MaxTokens: 12, IgnoreEOS: true}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Concat(g.Tokens...)
		}
		weights := func() map[string][]float32 {
			all := map[string][]float32{}
			for _, w := range m.weights {
				if all[w.name], err = m.weight(w); err != nil {
					t.Fatal(err)
				}
			}
			return all
		}
		before, tokens := weights(), generate()
		if err := m.joinAll(); err != nil {
			t.Fatal(err)
		}
		if len(m.joints) != want {
			t.Errorf("%s: %d joined products, expected %d", name, len(m.joints), want)
		}
		if got := generate(); !slices.Equal(got, tokens) {
			t.Errorf("%s: joined gives %v, expected %v", name, got, tokens)
		}
		dir := t.TempDir()
		if err := m.Save(dir, dtypes.Float32); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir, Options{}); err != nil {
			t.Errorf("%s: what a joined model saves does not load: %v", name, err)
		}
		for _, joined := range []bool{true, false} {
			for w, v := range weights() {
				if !slices.Equal(v, before[w]) {
					t.Errorf("%s: joined %t: %s has changed", name, joined, w)
				}
			}
			if m.Store().GetVariable("/"+m.weights[1].name) == nil {
				t.Errorf("%s: the Store has no %s", name, m.weights[1].name)
			}
		}
		if got := generate(); !slices.Equal(got, tokens) || len(m.joints) != 0 {
			t.Errorf("%s: taken apart gives %v, expected %v; %d are joined", name, got, tokens, len(m.joints))
		}
	}
}

// TestAdaptersReachPartsOfJoinedProducts by the checkpoint's names.
func TestAdaptersReachPartsOfJoinedProducts(t *testing.T) {
	m, err := Load("../../testdata/reference/llama", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.joinAll(); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Projections(), "q_proj") {
		t.Errorf("the projections of a joined model are %v", m.Projections())
	}
	if err := m.AttachAdapter(Adapter{Rank: 2, Targets: []string{"q_proj", "up_proj"}}, 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range m.AdapterModules() {
		if !strings.HasSuffix(name, "q_proj") && !strings.HasSuffix(name, "up_proj") {
			t.Errorf("adapts %s", name)
		}
	}
	if n := len(m.AdapterModules()); n != 6 || len(m.joints) != 0 {
		t.Errorf("%d modules adapted, %d products joined", n, len(m.joints))
	}
}
