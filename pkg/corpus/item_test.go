package corpus

import (
	"slices"
	"strings"
	"testing"
)

func sampleItem() Item {
	return Item{
		ID: "x", Domain: "d", Question: "What is 1 plus 1?", Options: []string{"3", "2"}, Answer: 1,
		Analysis: "A is wrong: 3 is 1 too many. B is right: 1 plus 1 is 2.", Source: "hand:1",
	}
}

// twoLines is an item of the greatest number of options whose texts have line ends.
func twoLines() Item {
	item := Item{ID: "y", Domain: "d", Question: "First line.\nWhat comes second?", Answer: 25, Analysis: "One.\nTwo."}
	for i := range MaxOptions {
		item.Options = append(item.Options, "line "+Letter(i)+"\nof "+Letter(i))
	}
	return item
}

func TestTextAndPromptFollowTheTemplates(t *testing.T) {
	item := sampleItem()
	fill := strings.NewReplacer("{question}", item.Question, "{options}", "A. 3\nB. 2", "{analysis}", item.Analysis, "{letter}", "B")
	if want := fill.Replace(TextTemplate); item.Text() != want {
		t.Errorf("text\n%q\nexpected\n%q", item.Text(), want)
	}
	if want := fill.Replace(PromptTemplate); item.Prompt() != want {
		t.Errorf("prompt\n%q\nexpected\n%q", item.Prompt(), want)
	}
	item.Analysis = ""
	if want := item.Prompt() + " B\n"; item.Text() != want {
		t.Errorf("without an analysis the text is %q, expected %q", item.Text(), want)
	}
}

func TestFingerprintIgnoresOrderCaseAndSpacing(t *testing.T) {
	a, b := sampleItem(), sampleItem()
	b.Question = "  what is 1  PLUS 1?\n"
	slices.Reverse(b.Options)
	b.Answer, b.ID = 0, "y"
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("the same item in other words has another fingerprint")
	}
	c := sampleItem()
	c.Options = []string{"3", "4"}
	if a.Fingerprint() == c.Fingerprint() {
		t.Error("other options have the same fingerprint")
	}
}

func TestValidateNamesTheFault(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Item)
		want  string
	}{
		{"fine", func(*Item) {}, ""},
		{"empty question", func(it *Item) { it.Question = " " }, "question is empty"},
		{"question not UTF-8", func(it *Item) { it.Question = "\xff" }, "UTF-8"},
		{"analysis not UTF-8", func(it *Item) { it.Analysis = "\xff" }, "UTF-8"},
		{"option not UTF-8", func(it *Item) { it.Options[0] = "\xff" }, "option A is not valid UTF-8"},
		{"one option", func(it *Item) { it.Options = it.Options[:1] }, "found 1 options"},
		{"27 options", func(it *Item) { it.Options = make([]string, 27) }, "found 27 options"},
		{"empty option", func(it *Item) { it.Options[1] = "" }, "option B is empty"},
		{"answer beyond the options", func(it *Item) { it.Answer = 2 }, "expected 0 to 1"},
		{"negative answer", func(it *Item) { it.Answer = -1 }, "expected 0 to 1"},
	}
	for _, test := range tests {
		item := sampleItem()
		test.spoil(&item)
		err := item.Validate()
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, expected one with %q", test.name, err, test.want)
		}
	}
}
