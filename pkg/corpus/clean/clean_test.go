package clean

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/corpus/source"
)

// train is what the options make to train on.
func train(t testing.TB, o generate.Options) []corpus.Item {
	t.Helper()
	o.HeldOut = -1
	c, err := generate.Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Train
}

// published is where a published set lies beside a checkout for development.
func published(t *testing.T, set string) string {
	t.Helper()
	dir := filepath.Join("../../../../shared/data", set)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the published files of %s are not beside this checkout: %v", set, err)
	}
	return dir
}

func TestSplitsFollowTheContent(t *testing.T) {
	s, err := NewSplitter("v1", Share{"train", 8}, Share{"dev", 1}, Share{"test", 1})
	if err != nil {
		t.Fatal(err)
	}
	items := train(t, generate.Options{Train: 20_000})
	dealt := s.Items(items)
	for name, want := range map[string]float64{"train": 0.8, "dev": 0.1, "test": 0.1} {
		// Four standard errors of 20,000 draws at most.
		if share := float64(len(dealt[name])) / float64(len(items)); math.Abs(share-want) > 0.012 {
			t.Errorf("%s has %.3f of the items, expected %.3f", name, share, want)
		}
	}
	reversed := items[7]
	reversed.ID = "another"
	reversed.Options = slices.Clone(reversed.Options)
	slices.Reverse(reversed.Options)
	if s.OfItem(reversed) != s.OfItem(items[7]) {
		t.Error("the same content is in two splits")
	}
	other, _ := NewSplitter("v2", Share{"train", 8}, Share{"dev", 1}, Share{"test", 1})
	if reflect.DeepEqual(other.Items(items), dealt) {
		t.Error("two salts split alike")
	}
	for _, shares := range [][]Share{nil, {{"a", 0}}, {{"a", 1}, {"a", 1}}, {{"", 1}}} {
		if _, err := NewSplitter("", shares...); err == nil {
			t.Errorf("shares %v were accepted", shares)
		}
	}
}

// sentence makes n words of a vocabulary of 1,000.
func sentence(r *rand.Rand, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("w%d", r.IntN(1000))
	}
	return list
}

func TestDuplicatesAreFoundExactlyAndNearly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var texts []string
	for range 300 {
		texts = append(texts, strings.Join(sentence(r, 100), " "))
	}
	want := map[int]int{}
	// Exact but for case and punctuation; nearly, with the last three words changed (similarity 93/99); and half of it, which is not a duplicate.
	want[len(texts)] = 5
	texts = append(texts, strings.ToUpper(strings.ReplaceAll(texts[5], " ", ",  "))+"!")
	want[len(texts)] = 17
	texts = append(texts, strings.Join(append(strings.Fields(texts[17])[:97], "x", "y", "z"), " "))
	texts = append(texts, strings.Join(append(strings.Fields(texts[30])[:50], sentence(r, 50)...), " "))
	found, err := Duplicates(texts, NearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]int{}
	for _, d := range found {
		got[d.Index] = d.Of
		if d.Exact != (d.Of == 5) {
			t.Errorf("%+v: exact or not is wrong", d)
		}
		if d.Of == 17 && math.Abs(d.Similarity-93.0/99) > 1e-9 {
			t.Errorf("similarity %v, expected 93/99", d.Similarity)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("duplicates %v, expected %v", got, want)
	}
	if only, _ := Duplicates(texts, NearOptions{Similarity: 1}); len(only) != 1 || only[0].Of != 5 {
		t.Errorf("of similarity 1: %+v, expected the exact one only", only)
	}
}

// TestMinHashMissesFewPairs at the threshold: 400 pairs with similarity just above 0.8.
func TestMinHashMissesFewPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	missed := 0
	for range 400 {
		list := sentence(r, 104) // 100 shingles; changing the last 10 words leaves 90, similarity 90/110 = 0.82
		changed := slices.Concat(list[:94], sentence(r, 10))
		if found, _ := Duplicates([]string{strings.Join(list, " "), strings.Join(changed, " ")}, NearOptions{}); len(found) == 0 {
			missed++
		}
	}
	if missed > 2 {
		t.Errorf("%d of 400 near-duplicates were missed, expected none or one", missed)
	}
}

func TestDuplicatesRefusesWhatItWouldMiss(t *testing.T) {
	for _, o := range []NearOptions{{Similarity: 0.3}, {Similarity: 1.5}, {Shingle: -1}} {
		if _, err := Duplicates(nil, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestDecontaminationFindsWhatWasPlanted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	exam := []Named{
		{"long", strings.Join(sentence(r, 30), " ")},
		{"clean", strings.Join(sentence(r, 30), " ")},
		{"nine", strings.Join(sentence(r, 9), " ")},
		{"tiny", "one plus one"},
	}
	long := strings.Fields(exam[0].Text)
	trained := []Named{
		{"t0", strings.Join(sentence(r, 200), " ")},
		{"t1", "before, " + strings.ToUpper(strings.Join(long[4:17], ", ")) + " after"},      // 13 words
		{"t2", strings.Join(long[:12], " ") + " " + strings.Join(sentence(r, 20), " ")},      // 12 words are too few
		{"t3", "so: " + exam[2].Text + " and one plus one"},                                  // all nine words; and the tiny one
		{"t4", strings.Join(strings.Fields(exam[2].Text)[:8], " ") + " " + "something else"}, // eight of nine
		{"t5", exam[0].Text}, // again
	}
	c := Decontaminate(slices.Values(trained), map[string][]Named{"exam": exam, "empty": nil})
	if want := []SetReport{{Name: "empty"}, {Name: "exam", Items: 4, TooShort: 1, Contaminated: 2}}; !reflect.DeepEqual(c.Sets, want) {
		t.Errorf("sets %+v, expected %+v", c.Sets, want)
	}
	if len(c.Hits) != 2 || c.Hits[0].Item != "long" || c.Hits[0].Train != "t1" || c.Hits[0].Words != strings.Join(long[4:17], " ") || c.Hits[1].Item != "nine" || c.Hits[1].Train != "t3" {
		t.Errorf("hits %+v", c.Hits)
	}
	for id, want := range map[string]bool{"t0": false, "t1": true, "t2": false, "t3": true, "t4": false, "t5": true} {
		if c.Contaminated(id) != want {
			t.Errorf("%s contaminated: %v, expected %v", id, !want, want)
		}
	}
	if !strings.Contains(c.String(), "exam: 2 of 4 items found, 1 too short to judge") {
		t.Errorf("report:\n%s", c)
	}
}

// TestGeneratorIsCleanOfPublishedSets: none of the first 10,000 graded training items has 13 words in a row of MMLU, PIQA, SIQA or GSM8K.
func TestGeneratorIsCleanOfPublishedSets(t *testing.T) {
	sets := make(map[string][]Named)
	for name, read := range map[string]func() ([]corpus.Item, error){
		"siqa": func() ([]corpus.Item, error) { return source.ReadSIQA(published(t, "siqa")) },
		"piqa": func() ([]corpus.Item, error) { return source.ReadPIQA(published(t, "piqa")) },
		"mmlu": func() ([]corpus.Item, error) { return source.ReadMMLU(published(t, "mmlu"), "test") },
	} {
		items, err := read()
		if err != nil {
			t.Fatal(err)
		}
		sets[name] = NamedItems(items)
	}
	problems, err := source.ReadGSM8K(published(t, "gsm8k"), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		sets["gsm8k"] = append(sets["gsm8k"], Named{p.ID, p.Question})
	}
	items := train(t, generate.Options{Train: 10_000, Grades: corpus.Grades()})
	c := Decontaminate(func(yield func(Named) bool) {
		for _, it := range items {
			if !yield(Named{it.ID, it.Text()}) {
				return
			}
		}
	}, sets)
	if len(c.Hits) > 0 {
		t.Errorf("published items in the generated corpus:\n%s", c)
	}
}
