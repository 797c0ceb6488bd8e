package prepare

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/source"
)

// table is 60 different questions, one of them in other words' order of letters and spaces again, one with a word changed, one row without an answer, and one
// that stands in an evaluation set.
func table(t *testing.T) (items, exam string) {
	t.Helper()
	words := strings.Fields("amber birch cedar dune ember fjord grove heath inlet jetty knoll lagoon marsh nook oasis pond quarry ridge shore tarn")
	question := func(i int) string {
		var b strings.Builder
		for k := range 16 {
			b.WriteString(words[(i*7+k*(i%5+1)+i/20)%len(words)] + fmt.Sprint((i*k)%7) + " ")
		}
		return b.String() + "number " + fmt.Sprint(i)
	}
	var b strings.Builder
	b.WriteString("question,A,B,answer\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%s?,yes %d,no,A\n", question(i), i)
	}
	fmt.Fprintf(&b, "%s!,YES 3,No,A\n", strings.ToUpper(question(3)))
	b.WriteString("no answer?,x,y,\n")
	dir := t.TempDir()
	items, exam = filepath.Join(dir, "items.csv"), filepath.Join(dir, "exam.csv")
	for path, text := range map[string]string{items: b.String(), exam: "question,A,B,answer\n" + question(11) + ",maybe,never,B\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return items, exam
}

func TestRunLeavesOutWhatItSaysAndNothingElse(t *testing.T) {
	items, exam := table(t)
	dir := t.TempDir()
	r, err := Run(t.Context(), Options{Items: items, Against: []string{exam}, Shares: "train=50 test=1", Name: "mine", About: "Words.", Licence: "CC0-1.0"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Read.Bad) != 1 || len(r.Duplicates) != 1 || !r.Duplicates[0].Exact || r.Duplicates[0].Of != 3 || r.Contaminated != 1 {
		t.Errorf("%d bad rows, repeats %+v, %d contaminated", len(r.Read.Bad), r.Duplicates, r.Contaminated)
	}
	kept := 0
	for _, s := range r.Set.Splits {
		kept += len(s.Items)
		back, err := source.Open(t.Context(), filepath.Join(dir, s.Name+".jsonl"), source.Options{})
		if err != nil || len(back.Items) != len(s.Items) {
			t.Errorf("%s reads back as %v, %v", s.Name, back, err)
		}
	}
	if kept != 59 {
		t.Errorf("%d items are kept, expected 59", kept)
	}
	card, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil || !strings.Contains(string(card), "repeats of an earlier item that were left out: 1, of these 0 nearly") || !strings.Contains(string(card), "Words.") {
		t.Errorf("card: %v\n%s", err, card)
	}
	part := r.Parts()[0]
	if want := "Of 62 rows 59 items are kept: 1 could not be read right, 1 repeat another, 1 have words of an item to be evaluated."; part.Finding != want {
		t.Errorf("finding %q, expected %q", part.Finding, want)
	}
	for _, table := range part.Tables {
		if _, err := table.Checked(); err != nil {
			t.Error(err)
		}
	}
	for _, n := range part.Numbers {
		if err := n.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestRunRefusesWhatCannotBe(t *testing.T) {
	items, _ := table(t)
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"shares":     {Options{Items: items, Shares: "train"}, `"train"`},
		"a path":     {Options{Items: items, Shares: "../x=1"}, `"../x=1"`},
		"no file":    {Options{Items: "nothing.csv"}, "nothing.csv"},
		"similarity": {Options{Items: items, Similarity: 0.1}, "0.1"},
		"bad row":    {Options{Items: items, Strict: true}, "items.csv:63"},
		"against":    {Options{Items: items, Against: []string{"nothing"}}, "evaluation set nothing"},
		"format":     {Options{Items: items, Format: export.Format("xml")}, "xml"},
	} {
		if _, err := Run(t.Context(), test.o, t.TempDir()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, expected one with %q", name, err, test.want)
		}
	}
}
