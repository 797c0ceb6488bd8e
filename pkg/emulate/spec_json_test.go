package emulate_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
)

// TestHashesOfEveryFieldAreStable pins the canonical form of the variants, controls and neighbours, as TestHashIsStable does that of the presets.
func TestHashesOfEveryFieldAreStable(t *testing.T) {
	for _, c := range []struct {
		spec emulate.Spec
		json string
		hash string
	}{
		{emulate.ACT(), `{"alpha":-0.6,"tau":0.1,"mask":"sinks","renormalise":"rest","phase":"prefill","diagonal":true,"schedule":"constant","keep_first":true}`, "ffb192330041"},
		{emulate.ZeroTuning(1.5), `{"alpha":0.5,"mask":"keys","renormalise":"row","diagonal":true,"schedule":"constant","positions":[0]}`, "8ddcea453c62"},
		{emulate.PASTA([][2]int{{2, 5}}, [][2]int{{1, 0}}), `{"alpha":-0.99,"mask":"outside","renormalise":"row","diagonal":true,"schedule":"constant","layer_heads":[[1,0]],"spans":[[2,5]]}`, "12bb48c87150"},
		{emulate.Uniform(emulate.Released()), `{"alpha":0.2,"tau":0.01,"mask":"uniform"}`, "f320ed227b9d"},
		{emulate.Random(emulate.Released(), 7), `{"alpha":0.2,"tau":0.01,"mask":"random","seed":7}`, "0d6c48ecf156"},
		{emulate.Local(emulate.Released()), `{"alpha":0.2,"tau":0.01,"mask":"local"}`, "3885e807986d"},
		{emulate.Suppress(0.5), `{"alpha":-0.5,"mask":"keys","schedule":"constant","positions":[0]}`, "576dceef2f15"},
		{emulate.Spec{Alpha: 1, Source: []int{0, 1}, Pairing: emulate.PairBest, PerKey: 2, ExcludeTokens: []int{3}, ExcludeClasses: []string{"special"}, Layers: []int{2, 3}, Heads: []int{1}, Renormalise: emulate.RenormaliseKeepDiagonal},
			`{"alpha":1,"renormalise":"keep-diagonal","source":[0,1],"pairing":"best","per_key":2,"exclude_tokens":[3],"exclude_classes":["special"],"layers":[2,3],"heads":[1]}`, "ea415773556e"},
		{emulate.Spec{Gains: []float64{1, 2}, TopK: 4}, `{"top_k":4,"gains":[1,2]}`, "1bdbc3bb9070"},
		{emulate.Spec{Alpha: 1, Quantile: 0.9}, `{"alpha":1,"quantile":0.9}`, "ae84ed71a58d"},
	} {
		if got := string(c.spec.JSON()); got != c.json {
			t.Errorf("JSON is %s, expected %s", got, c.json)
		}
		if got := c.spec.Hash(); got != c.hash {
			t.Errorf("hash of %s is %s, expected %s", c.json, got, c.hash)
		}
	}
}

func TestPlansRoundTrip(t *testing.T) {
	a, b := emulate.Released(), emulate.ZeroTuning(2)
	for _, p := range []emulate.Plan{{a}, {a, b}, {b, a}} {
		back, err := emulate.ParsePlan(p.JSON())
		if err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("%s parses to %v, %v", p.JSON(), back, err)
		}
	}
	if (emulate.Plan{a}).Hash() != a.Hash() {
		t.Error("a plan of one step has another hash than the step")
	}
	if (emulate.Plan{a, b}).Hash() == (emulate.Plan{b, a}).Hash() {
		t.Error("the order of steps does not change the hash")
	}
	if (emulate.Plan{}).Hash() != (emulate.Spec{}).Hash() || (emulate.Plan{}).String() != "off" {
		t.Error("the empty plan is not the zero Spec")
	}
	if got, want := (emulate.Plan{a, b}).String(), "alpha 0.2, A_0 > 0.01 off the diagonal; then gain 2, keys at [0], in all heads of all layers, rows renormalised"; got != want {
		t.Errorf("the plan is %q, expected %q", got, want)
	}
	for _, bad := range []string{`[{"alpha":1},{"alpha":-3}]`, `[{"alfa":1}]`, `{"alpha":1}{"alpha":2}`, `[{"alpha":1}`, `7`} {
		if p, err := emulate.ParsePlan([]byte(bad)); err == nil {
			t.Errorf("%s is accepted as %v", bad, p)
		}
	}
}

func TestDiff(t *testing.T) {
	b := emulate.Literal()
	b.Source, b.Renormalise = []int{1, 2}, emulate.RenormaliseRow
	want := []string{"alpha: 0.2 -> 1", `renormalise: default -> "row"`, "source: default -> [1,2]"}
	if got := emulate.Diff(emulate.Released(), b); !slices.Equal(got, want) {
		t.Errorf("the difference is %q, expected %q", got, want)
	}
	if got := emulate.Diff(b, b); got != nil {
		t.Errorf("a Spec differs from itself in %q", got)
	}
}

// TestContradictionsAreNamed: each Spec is refused with a sentence that names what is wrong.
func TestContradictionsAreNamed(t *testing.T) {
	for spec, reason := range map[string]string{
		`{"alpha":1,"tau":0.1,"top_k":3}`:                                      "tau and top_k",
		`{"alpha":1,"quantile":1}`:                                             "quantile is 1",
		`{"alpha":1,"per_key":-1}`:                                             "per_key is -1",
		`{"alpha":1,"top_k":-1}`:                                               "top_k is -1",
		`{"alpha":1,"gains":[1,2]}`:                                            "gains gives every layer's factor",
		`{"gains":[1,-2]}`:                                                     "gains[1] is -2",
		`{"alpha":1,"schedule":"constant","last":4}`:                           "constant schedule",
		`{"alpha":1,"schedule":"square"}`:                                      `schedule is "square"`,
		`{"alpha":1,"tau":0.1,"source":[2],"layers":[1,3]}`:                    "layer 1 is to emulate layer 2",
		`{"alpha":1,"tau":0.1,"layers":[0]}`:                                   "only layers from 1 on",
		`{"alpha":1,"tau":0.1,"source":[1],"layer_heads":[[1,0]]}`:             "only layers from 2 on",
		`{"alpha":1,"mask":"all","layers":[0]}`:                                "begins at layer 1",
		`{"alpha":1,"mask":"all","source":[1]}`:                                "source is [1]",
		`{"alpha":1,"mask":"keys","positions":[0],"pairing":"mean"}`:           "pairing",
		`{"alpha":1,"tau":0.1,"heads":[1],"layer_heads":[[1,0]]}`:              "heads and layer_heads",
		`{"alpha":1,"tau":0.1,"layers":[1],"layer_heads":[[1,0]]}`:             "layers and layer_heads",
		`{"alpha":1,"mask":"keys"}`:                                            "needs keys",
		`{"alpha":1,"positions":[0]}`:                                          "name the keys of masks",
		`{"alpha":1,"mask":"keys","positions":[0],"tau":0.1}`:                  "no threshold",
		`{"alpha":1,"mask":"outside","spans":[[5,5]]}`:                         "span [5 5]",
		`{"alpha":1,"mask":"keys","positions":[2,2]}`:                          "2 twice",
		`{"alpha":1,"tau":0.1,"heads":[-1]}`:                                   "holds -1",
		`{"alpha":-0.6,"mask":"sinks","tau":0.1}`:                              `set phase to "prefill"`,
		`{"alpha":-0.6,"mask":"running-sinks","tau":0.1,"phase":"decode"}`:     `set phase to "prefill"`,
		`{"alpha":-0.6,"mask":"sinks","phase":"prefill"}`:                      "needs tau",
		`{"alpha":-0.6,"mask":"sinks","phase":"prefill","top_k":2}`:            "no threshold of that kind",
		`{"alpha":1,"tau":0.1,"seed":4}`:                                       "only mask",
		`{"alpha":1,"tau":0.1,"renormalise":"rest"}`:                           "frees none",
		`{"alpha":1,"tau":0.1,"diagonal":true,"renormalise":"keep-diagonal"}`:  "keeps the diagonal",
		`{"alpha":1,"tau":0.1,"mask":"uniform","renormalise":"row"}`:           "cancels itself",
		`{"alpha":1,"tau":0.1,"mask":"uniform","renormalise":"keep-diagonal"}`: "nothing to keep apart",
		`{"alpha":1,"mask":"all","exclude_positions":[0]}`:                     "every entry",
		`{"alpha":1,"tau":0.1,"pairing":"worst"}`:                              `pairing is "worst"`,
		`{"alpha":-0.5,"tau":0.1,"renormalise":"rest","last":2}`:               "would gain mass",
		`{"alpha":1,"tau":0.1,"renormalise":"column"}`:                         `renormalise is "column"`,
		`{"alpha":1,"mask":"keys","positions":[0],"top_k":2}`:                  "top_k is set",
	} {
		if s, err := emulate.Parse([]byte(spec)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s gives %+v and %v, expected an error about %q", spec, s, err, reason)
		}
	}
}
