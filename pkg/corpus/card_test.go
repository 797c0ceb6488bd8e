package corpus

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestCardRoundTripsThroughJSON(t *testing.T) {
	card := mustGenerate(t, Options{Seed: 9, Train: 100, HeldOut: 20}).Card
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
	card := mustGenerate(t, Options{Seed: 9, Train: 100, HeldOut: 20}).Card
	text := card.Markdown()
	for _, want := range []string{"seed: 9", card.ContentHash, card.TemplateHash, "CC0-1.0", "train: 100 items", "heldout: 20 items", "| logic | yes | 10 |", "| places | no | 2 |", "      Response: {letter}"} {
		if !strings.Contains(text, want) {
			t.Errorf("the card lacks %q:\n%s", want, text)
		}
	}
}
