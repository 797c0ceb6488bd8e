package export

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus/generate"
)

func TestCardRoundTripsThroughJSON(t *testing.T) {
	card := cardOf(t, generated(t, generate.Options{Seed: 9, Train: 100, HeldOut: 20}))
	text, err := card.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var back Card
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, card) {
		t.Errorf("read back\n%+v\nexpected\n%+v", back, card)
	}
}

func TestCardMarkdownSaysWhatIsThere(t *testing.T) {
	card := cardOf(t, generated(t, generate.Options{Seed: 9, Train: 100, HeldOut: 20}))
	text := card.Markdown()
	for _, want := range []string{"seed: 9", card.ContentHash, card.TemplateHash, "CC0-1.0", "train: 100 items", "heldout: 20 items", "| logic | yes | 10 |", "| places | no | 2 |", "      Response: {letter}"} {
		if !strings.Contains(text, want) {
			t.Errorf("the card lacks %q:\n%s", want, text)
		}
	}
}

// generated is the set that the options make.
func generated(t testing.TB, o generate.Options) Set {
	t.Helper()
	c, err := generate.Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	return Generated(c.Seed, c.Grades, c.Train, c.HeldOut)
}

func cardOf(t testing.TB, s Set) Card {
	t.Helper()
	card, err := s.Card()
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func TestWordsAreWhatFieldsCounts(t *testing.T) {
	for _, split := range generated(t, generate.Options{Train: 200, HeldOut: 20}).Splits {
		for _, item := range split.Items {
			if text := item.Text(); countWords(text) != len(strings.Fields(text)) {
				t.Fatalf("%d words, expected %d in %q", countWords(text), len(strings.Fields(text)), text)
			}
		}
	}
}
