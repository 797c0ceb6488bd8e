package model_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/model"
)

// embedded opens the repository's own model, which has a tokenizer.
func embedded(t *testing.T) *model.Model {
	t.Helper()
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// prose are prompts of unequal lengths, and what the embedded model makes of each of them.
func prose(t *testing.T, m *model.Model) (prompts [][]int, free *model.Generation) {
	t.Helper()
	for _, text := range []string{"Question: Which of these is", "Tom has 3 apples. He"} {
		prompts = append(prompts, m.Tokenizer.Encode(text))
	}
	free, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 40, IgnoreEOS: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range free.Texts {
		if text != m.Tokenizer.Decode(free.Tokens[i]) || len(text) < 40 {
			t.Fatalf("sequence %d: text %q of tokens %v", i, text, free.Tokens[i])
		}
	}
	return prompts, free
}

// TestStopStringsEndASequence takes for stop strings parts of what the model writes anyway, of several tokens and beginning inside one.
func TestStopStringsEndASequence(t *testing.T) {
	m := embedded(t)
	prompts, free := prose(t, m)
	for _, from := range []int{1, 11, 23} {
		stop := free.Texts[0][from : from+9]
		g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 40, IgnoreEOS: true, Chunk: 7, Stop: []string{"never written", stop}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, whole := range free.Texts {
			want, _, found := strings.Cut(whole, stop)
			if g.Texts[i] != want {
				t.Errorf("stop at %q: sequence %d gives %q, expected %q", stop, i, g.Texts[i], want)
			}
			// The tokens end with the one that completed the stop string, and no later.
			n := len(g.Tokens[i])
			if !slices.Equal(g.Tokens[i], free.Tokens[i][:n]) {
				t.Errorf("stop at %q: sequence %d has tokens %v, expected the first of %v", stop, i, g.Tokens[i], free.Tokens[i])
			}
			if found && (!strings.Contains(m.Tokenizer.Decode(g.Tokens[i]), stop) || strings.Contains(m.Tokenizer.Decode(g.Tokens[i][:n-1]), stop)) {
				t.Errorf("stop at %q: sequence %d ends with %q", stop, i, m.Tokenizer.Decode(g.Tokens[i]))
			}
			if !found && n != 40 {
				t.Errorf("stop at %q: sequence %d never meets it and has %d tokens", stop, i, n)
			}
		}
	}
}

// TestStreamGivesWhatStays: the pieces of each sequence, put together, are its text, and no piece had to be taken back.
func TestStreamGivesWhatStays(t *testing.T) {
	m := embedded(t)
	prompts, free := prose(t, m)
	for _, stop := range [][]string{nil, {free.Texts[0][15:25]}} {
		pieces := make([][]string, len(prompts))
		g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 40, IgnoreEOS: true, Chunk: 3, Stop: stop, Stream: func(sequence int, text string) {
			if text == "" || !utf8.ValidString(text) {
				t.Errorf("sequence %d: piece %q", sequence, text)
			}
			pieces[sequence] = append(pieces[sequence], text)
		}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range prompts {
			if got := strings.Join(pieces[i], ""); got != g.Texts[i] {
				t.Errorf("sequence %d: streamed %q, expected %q", i, got, g.Texts[i])
			}
			if stop == nil && (g.Texts[i] != free.Texts[i] || len(pieces[i]) < 10) {
				t.Errorf("sequence %d: %d pieces of %q, expected about one a token of %q", i, len(pieces[i]), g.Texts[i], free.Texts[i])
			}
		}
	}
}

func TestTextNeedsATokenizer(t *testing.T) {
	m := tinyModel(t)
	for _, o := range []model.GenerateOptions{{Stop: []string{"."}}, {Stream: func(int, string) {}}} {
		if _, err := m.Generate([][]int{{1, 5}}, o, nil); err == nil || !strings.Contains(err.Error(), "tokenizer") {
			t.Errorf("%v", err)
		}
	}
	if _, err := embedded(t).Generate([][]int{{1, 5}}, model.GenerateOptions{Stop: []string{""}}, nil); err == nil || !strings.Contains(err.Error(), "stop string") {
		t.Errorf("an empty stop string: %v", err)
	}
}

// TestCompilationsAreCounted: a generation of known shapes builds nothing.
func TestCompilationsAreCounted(t *testing.T) {
	m := tinyModel(t)
	generate := func(n int) int {
		before := m.Compilations()
		g, err := m.Generate([][]int{tokens(1, n, 97)}, model.GenerateOptions{MaxTokens: 8, Chunk: 8}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if g.Compilations != m.Compilations()-before {
			t.Errorf("the generation counts %d compilations, the model %d", g.Compilations, m.Compilations()-before)
		}
		return g.Compilations
	}
	if first := generate(9); first != 2 {
		t.Errorf("%d compilations for a prefill and a loop", first)
	}
	if again := generate(9); again != 0 {
		t.Errorf("%d compilations for shapes that are there", again)
	}
}

// TestManyLengthsShareGraphsOnXLA: prompts of many lengths need a few graphs and not two each.
func TestManyLengthsShareGraphsOnXLA(t *testing.T) {
	m := tinyModel(t)
	if !onXLA(m) {
		t.Skip("a graph of another shape costs next to nothing on the Go backend, where each length has its own; needs ATTUNE_BACKEND=xla:cuda")
	}
	for n := 2; n <= 60; n += 3 {
		if _, err := m.Generate([][]int{tokens(1, n, 97)}, model.GenerateOptions{MaxTokens: 8}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := m.Compilations(); n != 2 {
		t.Errorf("%d graphs for twenty lengths up to 60, expected a prefill and a loop", n)
	}
}
