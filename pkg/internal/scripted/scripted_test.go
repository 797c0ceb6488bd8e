package scripted_test

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/internal/scripted"
	"github.com/attune-lab/attune/pkg/model"
)

const root = "../../.."

func TestAWriterWritesItsScript(t *testing.T) {
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		t.Fatal(err)
	}
	prompt, text := tok.Encode("Which one? Which one?"), tok.EncodePlain(" A is right. A is right.")
	script := map[int]int{len(prompt) + len(text) - 1: 1}
	for i, id := range text {
		script[len(prompt)-1+i] = id
	}
	m, err := scripted.Writer(t.TempDir(), root, 96, script)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Generate([][]int{prompt}, model.GenerateOptions{MaxTokens: 40}, nil)
	if err != nil || !slices.Equal(g.Tokens[0], text) {
		t.Errorf("error %v, it writes %q, expected %q", err, g.Texts, " A is right. A is right.")
	}
}

func TestACounterPrefersByItsMargin(t *testing.T) {
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		t.Fatal(err)
	}
	one := func(text string) int { ids := tok.EncodePlain(text); return ids[len(ids)-1] }
	c := scripted.Counting{Filler: one(" ."), Cue: one("Response:"), Yes: one(" B"), No: one(" A")}
	m, err := scripted.Counter(t.TempDir(), root, c)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		for _, last := range []int{c.Cue, c.Filler, one(" C")} {
			tokens := append(slices.Repeat([]int{one(" C")}, 12), slices.Repeat([]int{c.Filler}, n)...)
			tokens = append(tokens, last)
			r, err := m.Forward(model.Prompts(tokens), model.Outputs{Targets: model.Targets{{{Position: len(tokens) - 1, Token: c.Yes}, {Position: len(tokens) - 1, Token: c.No}}}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.LogProbs[0][0]-r.LogProbs[0][1], c.Margin(tokens); (got > 0) != (want > 0) || math.IsNaN(got) {
				t.Errorf("%d fillers, ending in %d: it prefers by %g, expected the sign of %g", n, last, got, want)
			}
		}
	}
}
