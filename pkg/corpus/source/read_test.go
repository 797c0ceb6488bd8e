package source

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/generate"
)

// data is where the published sets lie beside a checkout for development; they are not part of the repository.
const data = "../../../../shared/data"

func published(t *testing.T, set string) string {
	t.Helper()
	dir := filepath.Join(data, set)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the published files of %s are not beside this checkout: %v", set, err)
	}
	return dir
}

// generated is the set that the options make.
func generated(t testing.TB, o generate.Options) export.Set {
	t.Helper()
	c, err := generate.Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	return export.Generated(c.Seed, c.Grades, c.Train, c.HeldOut)
}

func TestPublishedCounts(t *testing.T) {
	tests := []struct {
		set   string
		read  func(dir string) ([]corpus.Item, error)
		items int
		first corpus.Item // as an eye reads it in the file
	}{
		{"siqa", ReadSIQA, 1954, corpus.Item{
			ID: "siqa/dev/1", Domain: "siqa", Answer: 2, Source: "dev.jsonl:1",
			Question: "Tracy didn't go home that evening and resisted Riley's attacks. What does Tracy need to do before this?",
			Passage:  "Tracy didn't go home that evening and resisted Riley's attacks.",
			Options:  []string{"make a new plan", "Go home and see Riley", "Find somewhere to go"},
		}},
		{"piqa", ReadPIQA, 1838, corpus.Item{
			ID: "piqa/valid/1", Domain: "piqa", Answer: 0, Source: "valid.jsonl:1",
			Question: "How do I ready a guinea pig cage for it's new occupants?",
			Passage:  "How do I ready a guinea pig cage for it's new occupants?",
			Options: []string{
				"Provide the guinea pig with a cage full of a few inches of bedding made of ripped paper strips, you will also need to supply it with a water bottle and a food dish.",
				"Provide the guinea pig with a cage full of a few inches of bedding made of ripped jeans material, you will also need to supply it with a water bottle and a food dish.",
			},
		}},
		{"mmlu", func(dir string) ([]corpus.Item, error) { return ReadMMLU(dir, "test") }, 14042, corpus.Item{
			ID: "mmlu/test/abstract_algebra/1", Domain: "abstract_algebra", STEM: true, Answer: 1, Source: "abstract_algebra_test.csv:1",
			Question: "Find the degree for the given field extension Q(sqrt(2), sqrt(3), sqrt(18)) over Q.",
			Options:  []string{"0", "4", "2", "6"},
		}},
		{"mmlu", func(dir string) ([]corpus.Item, error) { return ReadMMLU(dir, "dev") }, 285, corpus.Item{
			ID: "mmlu/dev/abstract_algebra/1", Domain: "abstract_algebra", STEM: true, Answer: 1, Source: "abstract_algebra_dev.csv:1",
			Question: "Find all c in Z_3 such that Z_3[x]/(x^2 + c) is a field.",
			Options:  []string{"0", "1", "2", "3"},
		}},
	}
	for _, test := range tests {
		items, err := test.read(published(t, test.set))
		if err != nil {
			t.Errorf("%s: %v", test.set, err)
			continue
		}
		if len(items) != test.items {
			t.Errorf("%s: %d items, expected %d", test.set, len(items), test.items)
		}
		if !reflect.DeepEqual(items[0], test.first) {
			t.Errorf("%s: first item\n%+v\nexpected\n%+v", test.set, items[0], test.first)
		}
	}
}

// TestItemsThatShareAPassageAreFew: so few that errors by item decide, with the clustered ones beside.
func TestItemsThatShareAPassageAreFew(t *testing.T) {
	for _, test := range []struct {
		set    string
		read   func(dir string) ([]corpus.Item, error)
		shared int
	}{{"siqa", ReadSIQA, 48}, {"piqa", ReadPIQA, 62}} {
		items, err := test.read(published(t, test.set))
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, item := range items {
			count[item.Passage]++
		}
		shared := 0
		for _, n := range count {
			if n > 1 {
				shared += n
			}
		}
		if shared != test.shared {
			t.Errorf("%s: %d of %d items share a passage with another, expected %d", test.set, shared, len(items), test.shared)
		}
	}
}

func TestSTEMMapsCountWhatTheyName(t *testing.T) {
	items, err := ReadMMLU(published(t, "mmlu"), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		variant         STEMMap
		subjects, items int
	}{{MMLUSTEM19, 19, 3153}, {MMLUSTEM18, 18, 3018}} {
		in, subjects := 0, make(map[string]bool)
		for _, item := range items {
			if test.variant.Has(item.Domain) {
				in++
				subjects[item.Domain] = true
			}
		}
		if in != test.items || in != test.variant.Items || len(subjects) != test.subjects || len(test.variant.Subjects) != test.subjects {
			t.Errorf("%s: %d items in %d subjects, expected %d in %d", test.variant.Name, in, len(subjects), test.items, test.subjects)
		}
	}
	if MMLUSTEM18.Has("anatomy") || !MMLUSTEM19.Has("anatomy") {
		t.Error("anatomy must be the difference between the two maps")
	}
}

func TestMMLUKeepsEmbeddedNewlinesAndQuotes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "test", "anatomy_test.csv"), "\"Two\nlines, \"\"quoted\"\"\",1,2,3,4,D\nNext?,a,b,c,d,A\n")
	items, err := ReadMMLU(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	if items[0].Question != "Two\nlines, \"quoted\"" || items[0].Answer != 3 || items[1].Source != "anatomy_test.csv:3" {
		t.Errorf("read %+v", items)
	}
}

func TestExportReadsBack(t *testing.T) {
	c := generated(t, generate.Options{Seed: 5, Train: 200, HeldOut: 40})
	dir := t.TempDir()
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	card, err := c.Card()
	if err != nil {
		t.Fatal(err)
	}
	for i, split := range c.Splits {
		items, described := split.Items, card.Splits[i]
		path := filepath.Join(dir, described.Name+".jsonl")
		back, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Items, items) {
			t.Errorf("%s: items changed on the way through the file", described.Name)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != described.Hash {
			t.Errorf("%s: the card's hash is not the file's", described.Name)
		}
	}
	set, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if set.Kind != KindOwn || set.Name != filepath.Base(dir) || !reflect.DeepEqual(set.Items, c.Splits[1].Items) {
		t.Errorf("an exported corpus is read as %s %s with %d items, expected its held-out split", set.Kind, set.Name, len(set.Items))
	}
}

func TestOpenRecognisesPublishedSets(t *testing.T) {
	for name, want := range map[string]int{"siqa": 1954, "piqa": 1838, "mmlu": 14042, "gsm8k": 1319} {
		set, err := Open(t.Context(), published(t, name), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(set.Kind) != name || set.Name != name || len(set.Items)+len(set.Problems) != want || set.Report.Good != want {
			t.Errorf("%s: read as %s %s with %d items and %d problems", name, set.Kind, set.Name, len(set.Items), len(set.Problems))
		}
	}
}

func TestOpenMakesTheGeneratorsHeldOutSplit(t *testing.T) {
	set, err := Open(t.Context(), "generated:medium, hard", Options{Generator: generate.Options{HeldOut: 48}})
	if err != nil {
		t.Fatal(err)
	}
	if set.Kind != KindGenerated || set.Name != "generated-medium-hard" || len(set.Items) != 48 {
		t.Errorf("%s %s with %d items", set.Kind, set.Name, len(set.Items))
	}
	if _, err := Open(t.Context(), "generated:odd", Options{}); err == nil || !strings.Contains(err.Error(), "odd") {
		t.Errorf("error %v, expected one that names the grade", err)
	}
	if _, err := Open(t.Context(), "generated", Options{Columns: "answer=x"}); err == nil || !strings.Contains(err.Error(), "columns") {
		t.Errorf("error %v, expected one that refuses columns", err)
	}
	if !IsGenerated("generated") || !IsGenerated("generated:easy") || IsGenerated("generated.jsonl") {
		t.Error("references are taken for what they are not")
	}
}

func TestOpenTakesTheTestSplitOfADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mine")
	write(t, filepath.Join(dir, "train.csv"), "question,A,B,answer\nno?,4,5,A\n")
	write(t, filepath.Join(dir, "test.csv"), "question,A,B,answer\n2+2?,4,5,A\n")
	set, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if set.Kind != KindOwn || set.Name != "mine" || len(set.Items) != 1 || set.Items[0].Question != "2+2?" {
		t.Errorf("%s %s %+v", set.Kind, set.Name, set.Items)
	}
}

func TestOpenSaysWhatItLookedFor(t *testing.T) {
	_, err := Open(t.Context(), t.TempDir(), Options{})
	for _, want := range []string{"dev-labels.lst", "valid-labels.lst", "test/*_test.csv", "test.jsonl", "heldout.jsonl", ".csv"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected it to mention %s", err, want)
		}
	}
}

const (
	goodSIQA = `{"context":"c","question":"q","answerA":"1","answerB":"2","answerC":"3"}` + "\n"
	goodPIQA = `{"goal":"g","sol1":"1","sol2":"2"}` + "\n"
	goodItem = `{"id":"i","question":"q","options":["1","2"],"answer":"B"}` + "\n"
)

func TestMalformedFilesAreNamedWithTheirLine(t *testing.T) {
	siqa := func(items, labels string) map[string]string {
		return map[string]string{"dev.jsonl": items, "dev-labels.lst": labels}
	}
	piqa := func(items, labels string) map[string]string {
		return map[string]string{"valid.jsonl": items, "valid-labels.lst": labels}
	}
	mmlu := func(rows string) map[string]string { return map[string]string{"test/anatomy_test.csv": rows} }
	own := func(lines string) map[string]string { return map[string]string{"heldout.jsonl": lines} }
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"SIQA line cut off", siqa(goodSIQA+`{"context":"c","quest`, "1\n1\n"), []string{"dev.jsonl:2:", "never closes"}},
		{"SIQA without an option", siqa(`{"context":"c","question":"q","answerA":"1","answerB":"2"}`, "1\n"), []string{"dev.jsonl:1:", `"answerC" is missing`}},
		{"SIQA without a context", siqa(goodSIQA+`{"question":"q","answerA":"1","answerB":"2","answerC":"3"}`, "1\n2\n"), []string{"dev.jsonl:2:", `"context" is missing`}},
		{"SIQA label of another set", siqa(goodSIQA+goodSIQA, "1\n0\n"), []string{"dev-labels.lst:2:", `"0"`, "1, 2, 3"}},
		{"SIQA label missing", siqa(goodSIQA+goodSIQA, "1\n"), []string{"2 items", "1 labels", "dev-labels.lst"}},
		{"SIQA empty", siqa("", ""), []string{"no rows"}},
		{"PIQA wrong type", piqa(`{"goal":["3"],"sol1":"1","sol2":"2"}`, "0\n"), []string{"valid.jsonl:1:", `"goal" is a list`}},
		{"PIQA two objects on a line", piqa(strings.TrimSpace(goodPIQA)+goodPIQA, "0\n"), []string{"valid.jsonl:1:", "more text"}},
		{"PIQA label missing", piqa(goodPIQA, "0\n1\n"), []string{"1 items", "2 labels"}},
		{"PIQA not UTF-8", piqa("{\"goal\":\"\xff\"}", "0\n"), []string{"valid.jsonl:1:", "UTF-8"}},
		{"MMLU five fields", mmlu("q,a,b,c,d,A\nq,a,b,c,A\n"), []string{"anatomy_test.csv:2:", "found 5 fields"}},
		{"MMLU answer E", mmlu("q,a,b,c,d,E\n"), []string{"anatomy_test.csv:1:", `"E"`}},
		{"MMLU open quote", mmlu("q,a,b,c,d,A\n\"q,a,b,c,d,A\n"), []string{"anatomy_test.csv:2:", "does not close"}},
		{"MMLU empty option", mmlu("q,a,,c,d,A\n"), []string{"anatomy_test.csv:1:", "option B is empty"}},
		{"own item, misspelt field", own(goodItem + `{"question":"q","optoins":["1","2"],"answer":"A"}`), []string{"heldout.jsonl:2:", `"options" is missing`, `"optoins"`}},
		{"own item, no options", own(`{"question":"q","answer":"A"}`), []string{"heldout.jsonl:1:", `"options" is missing`}},
		{"own item, number as answer", own(`{"question":"q","options":["a","b"],"answer":1}`), []string{"heldout.jsonl:1:", "form=0 or form=1"}},
		{"own item, letter beyond the options", own(`{"question":"q","options":["1","2"],"answer":"C"}`), []string{"heldout.jsonl:1:", "from A to B"}},
		{"own item, equal options", own(`{"question":"q","options":["1","1"],"answer":"A"}`), []string{"heldout.jsonl:1:", "repeats"}},
		{"own item, id twice", own(goodItem + "\n" + goodItem), []string{"heldout.jsonl:3:", "line 1"}},
		{"own items, none", own("\n"), []string{"no rows"}},
	}
	for _, test := range tests {
		dir := t.TempDir()
		for name, content := range test.files {
			write(t, filepath.Join(dir, name), content)
		}
		_, err := Open(t.Context(), dir, Options{})
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q, expected it to mention %q", test.name, err, want)
			}
		}
	}
}

func TestOwnItemsNeedNoMoreThanQuestionOptionsAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.jsonl")
	write(t, path, "\xef\xbb\xbf"+`{"question":"q","options":["1","2","3"],"answer":"C"}`+"\n")
	set, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []corpus.Item{{ID: "mine.jsonl:1", Domain: "mine", Question: "q", Options: []string{"1", "2", "3"}, Answer: 2, Source: "mine.jsonl:1"}}
	if set.Kind != KindOwn || !reflect.DeepEqual(set.Items, want) {
		t.Errorf("read %+v as %s, expected %+v", set.Items, set.Kind, want)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenReadsProblemsOfOtherFiles(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		kind    Kind
		want    corpus.Problem
	}{
		"navigate.json": {`{"canary":"x","examples":[{"input":"Turn left.\nOptions:\n- Yes\n- No","target":"No"}]}`, KindBBH,
			corpus.Problem{ID: "navigate.json:1", Domain: "navigate", Question: "Turn left.\nOptions:\n- Yes\n- No", Answer: "No", Source: "navigate.json:1"}},
		"main.jsonl": {`{"question":"How many?","answer":"One and <<1+1=2>>2.\n#### 1,002"}`, KindGSM8K,
			corpus.Problem{ID: "main.jsonl:1", Domain: "gsm8k", Question: "How many?", Analysis: "One and 2.", Answer: "1002", Source: "main.jsonl:1"}},
	} {
		set, err := Open(t.Context(), writeFile(t, name, test.content), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if set.Kind != test.kind || len(set.Items) != 0 || !reflect.DeepEqual(set.Problems, []corpus.Problem{test.want}) {
			t.Errorf("%s: %s %+v, expected %+v", name, set.Kind, set.Problems, test.want)
		}
	}
}
