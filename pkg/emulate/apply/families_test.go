package apply_test

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/model"
)

// familySizes are those of a tiny model, the same in every family that shares llama's field names.
const familySizes = `"vocab_size":97,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":8,"max_position_embeddings":128,"initializer_range":0.3,"bos_token_id":1`

func family(t *testing.T, fields string) *model.Model {
	t.Helper()
	c, err := model.ParseConfig([]byte("{" + fields + "," + familySizes + "}"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(c, nil, 5, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestUniformGainDoesNothingOnPostNormFamilies: where the attention output is normalised before it is added, a gain on all of it is divided
// out again (but for the norm's epsilon), while a gain on some entries is not.
func TestUniformGainDoesNothingOnPostNormFamilies(t *testing.T) {
	p := [][]int{prompt(1, 30)}
	effect := func(m *model.Model, s emulate.Spec) float64 {
		return distance(logits(t, m, p, nil), logits(t, m, p, experiment(t, s)))
	}
	for name, fields := range map[string]string{
		"gemma2":      `"model_type":"gemma2","sliding_window":6,"query_pre_attn_scalar":24,"final_logit_softcapping":30,"attn_logit_softcapping":50`,
		"gemma3_text": `"model_type":"gemma3_text","sliding_window":6,"sliding_window_pattern":3,"query_pre_attn_scalar":24`,
		"olmo2":       `"model_type":"olmo2"`,
	} {
		m := family(t, fields)
		if d := effect(m, emulate.FirstRelease()); d > 1e-4 {
			t.Errorf("%s: first-release changes logits by %g, expected at most 1e-4", name, d)
		}
		if d := effect(m, emulate.Literal()); d < 1e-2 {
			t.Errorf("%s: literal changes logits by %g only: the test says nothing", name, d)
		}
	}
	if d := effect(family(t, `"model_type":"llama"`), emulate.FirstRelease()); d < 1e-1 {
		t.Errorf("llama: first-release changes logits by %g only", d)
	}
}

// TestWindowsAndLearnedSinks runs the variants on families whose layers see different keys, or give part of a row to a learned sink: decoding
// equals recomputation, and rows sum as documented.
func TestWindowsAndLearnedSinks(t *testing.T) {
	for name, fields := range map[string]string{
		"window in every layer":     `"model_type":"mistral","sliding_window":6`,
		"window in every other":     `"model_type":"gemma2","sliding_window":6,"query_pre_attn_scalar":24`,
		"windows and learned sinks": `"model_type":"gpt_oss","sliding_window":6,"num_local_experts":3,"num_experts_per_tok":2`,
	} {
		m := family(t, fields)
		prompts := [][]int{prompt(1, 5), prompt(2, 17)}
		plain := maps(t, m, prompts[1], nil)
		for _, v := range variants() {
			if v.spec.Pairing == emulate.PairBest {
				continue // rows of different windows have no cosine worth a tie
			}
			e := experiment(t, v.spec)
			got := continued(t, m, prompts, 8, e)
			for b, p := range prompts {
				if want := recomputed(t, m, p, 8, e); !slices.Equal(got[b], want) {
					t.Errorf("%s, %s, prompt %d: decoding gives %v, recomputation %v", name, v.name, b, got[b], want)
				}
			}
			changed := maps(t, m, prompts[1], e)
			first := slices.IndexFunc([]int{0, 1, 2, 3}, func(l int) bool { return v.spec.Gain(l, layers) != 1 })
			for h := range heads {
				for i := range prompts[1] {
					before, after := 0.0, 0.0
					for j := range prompts[1] {
						before, after = before+plain[first][h][i][j], after+changed[first][h][i][j]
						if plain[first][h][i][j] == 0 && changed[first][h][i][j] != 0 {
							t.Fatalf("%s, %s: query %d of layer %d attends to key %d, which it cannot see", name, v.name, i, first, j)
						}
					}
					touched := len(v.spec.Heads)+len(v.spec.LayerHeads) == 0 || slices.Contains(v.spec.LayerHeads, [2]int{first, h})
					want := before
					if v.spec.Renormalise == emulate.RenormaliseRow && touched {
						want = 1
					}
					if v.spec.Renormalise != emulate.RenormaliseNone && math.Abs(after-want) > 1e-5 {
						t.Fatalf("%s, %s: query %d of layer %d sums to %g, expected %g (plain %g)", name, v.name, i, first, after, want, before)
					}
				}
			}
		}
	}
}
