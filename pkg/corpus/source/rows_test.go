package source

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/attune-lab/attune/pkg/corpus"
)

func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFormsOfOneItemAgree: the same two items in every form, read alike but for where they stand.
func TestFormsOfOneItemAgree(t *testing.T) {
	type stored struct {
		ID       string   `parquet:"id"`
		Question string   `parquet:"question"`
		Options  []string `parquet:"options,list"`
		Answer   string   `parquet:"answer"`
		Analysis string   `parquet:"analysis,optional"`
	}
	table := filepath.Join(t.TempDir(), "x.parquet")
	if err := parquet.WriteFile(table, []stored{
		{"one", "What is 1 plus 1?", []string{"3", "2"}, "B", "two"},
		{"two", "Which is a,\n\"fruit\"?", []string{"pear", "axe", "bus"}, "A", ""},
	}); err != nil {
		t.Fatal(err)
	}
	jsonl := writeFile(t, "x.jsonl", `{"id":"one","question":"What is 1 plus 1?","options":["3","2"],"answer":"B","analysis":"two"}`+"\n\n"+
		`{"id":"two","question":"Which is a,\n\"fruit\"?","options":["pear","axe","bus"],"answer":"A","analysis":null}`+"\n")
	sections := writeFile(t, "x.sections", "@id: one\n@question: What is 1 plus 1?\n@options:\nA. 3\nB. 2\n@answer: B\n@analysis: two\n@end\n\n"+
		"@id: two\n@question: Which is a,\n\"fruit\"?\n@options:\nA. pear\nB. axe\nC. bus\n@answer: A\n@end\n")
	want := []corpus.Item{
		{ID: "one", Domain: "x", Question: "What is 1 plus 1?", Options: []string{"3", "2"}, Answer: 1, Analysis: "two"},
		{ID: "two", Domain: "x", Question: "Which is a,\n\"fruit\"?", Options: []string{"pear", "axe", "bus"}},
	}
	for _, path := range []string{table, jsonl, sections} {
		rows, err := Rows(path)
		if err != nil {
			t.Fatal(err)
		}
		items, _, err := ReadAll(Items(rows, Columns{}), Stop)
		if err != nil {
			t.Fatal(err)
		}
		for i := range items {
			items[i].Source = ""
		}
		if !reflect.DeepEqual(items, want) {
			t.Errorf("%s:\n%+v\nexpected\n%+v", filepath.Base(path), items, want)
		}
	}
}

func TestCSVWithOneColumnPerOption(t *testing.T) {
	path := writeFile(t, "own.csv", "\ufeffstem,a,b,gold\n\"What, then?\",yes,no,2\n\"two\nlines\",p,q,1\n")
	rows, err := Rows(path)
	if err != nil {
		t.Fatal(err)
	}
	items, _, err := ReadAll(Items(rows, Columns{Question: "stem", Options: []string{"a", "b"}, Answer: "gold", AnswerForm: AnswerFromOne}), Stop)
	if err != nil {
		t.Fatal(err)
	}
	if items[0].Answer != 1 || items[1].Question != "two\nlines" || items[1].Source != "own.csv:3" {
		t.Errorf("items %+v", items)
	}
}

// badFiles hold good rows and bad ones; want is the line and the fault of each bad one.
var badFiles = []struct {
	name, content string
	good          int
	want          map[int]corpus.ErrorKind
}{
	{"bad.csv", "question,options_a,options_b,answer\n" +
		"q1,x,y,A\n" + // 2
		"q2,x,y\n" + // 3
		"q3,x,y,C\n" + // 4
		"q\xff4,x,y,A\n" + // 5
		",x,y,A\n" + // 6
		"q5,x,y,B\n" + // 7
		"\"q6,x,y,A\nq7,x,y,A\n", // 8: a quote that never closes
		2, map[int]corpus.ErrorKind{3: corpus.MissingField, 4: corpus.WrongLabel, 5: corpus.InvalidUTF8, 6: corpus.MissingField, 8: corpus.OpenSection}},
	{"bad.jsonl", `{"question":"q1","options":["x","y"],"answer":"A"}` + "\n" +
		`{"question":"q2","options":["x","y"]}` + "\n" +
		`{"question":"q3","options":["x","y"],"answer":"Z"}` + "\n" +
		"{\"question\":\"q\xc3\x28\",\"options\":[\"x\",\"y\"],\"answer\":\"A\"}\n" +
		`{"question":"q5","options":["x","y"` + "\n" +
		`[1]` + "\n" +
		`{"question":"q6","options":["x",{}],"answer":"A"}` + "\n" +
		`{"question":"q7","options":["x","x"],"answer":"A"}` + "\n" +
		`{"question":"q8","options":["x","y"],"answer":"B"}`,
		2, map[int]corpus.ErrorKind{2: corpus.MissingField, 3: corpus.WrongLabel, 4: corpus.InvalidUTF8, 5: corpus.OpenSection, 6: corpus.Malformed, 7: corpus.Malformed, 8: corpus.WrongLabel}},
	{"bad.sections", "@question: q1\n@options:\nA. x\nB. y\n@answer: A\n@end\n" + // 1
		"@question: q2\n@options:\nA. x\nB. y\n@answer: A\n" + // 7: the next row begins before its end
		"@question: q3\n@options:\nA. x\nB. y\n@answer: B\n@end\n" + // 12
		"stray\ntext\n" + // 18
		"@question: q4\n@options:\nA. x\nB. y\n@end\n" + // 20
		"@question: q5\n@answer: A\n@answer: B\n@end\n" + // 25
		"@question: \xff\n@answer: A\n@end\n" + // 29
		"@question: q6\n@options:\nA. x\nB. y\n@answer: E\n@end\n" + // 32
		"@question: q7\n@options:\nA. x\nB. y\n@answer: A\n", // 38
		2, map[int]corpus.ErrorKind{7: corpus.OpenSection, 18: corpus.WrongSection, 20: corpus.MissingField, 25: corpus.WrongSection, 29: corpus.InvalidUTF8, 32: corpus.WrongLabel, 38: corpus.OpenSection}},
}

func badColumns(name string) Columns {
	if strings.HasSuffix(name, ".csv") {
		return Columns{Options: []string{"options_a", "options_b"}}
	}
	return Columns{}
}

func TestBadRowsAreSetAsideCountedAndPlaced(t *testing.T) {
	for _, test := range badFiles {
		rows, err := Rows(writeFile(t, test.name, test.content))
		if err != nil {
			t.Fatal(err)
		}
		items, report, err := ReadAll(Items(rows, badColumns(test.name)), SetAside)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[int]corpus.ErrorKind)
		for _, b := range report.Bad {
			got[b.Line] = b.Kind
			if filepath.Base(b.File) != test.name || !strings.Contains(b.Error(), test.name+":") {
				t.Errorf("%v does not name the file", b)
			}
		}
		if len(items) != test.good || report.Good != test.good || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %d good rows and bad ones %v, expected %d and %v\n%s", test.name, len(items), got, test.good, test.want, report)
		}
		counts := 0
		for _, n := range report.Counts() {
			counts += n
		}
		if counts != len(test.want) || !strings.Contains(report.String(), "2 good rows") {
			t.Errorf("%s: the report counts %d:\n%s", test.name, counts, report)
		}
	}
}

func TestTheFirstBadRowStopsIfAsked(t *testing.T) {
	for _, test := range badFiles {
		rows, err := Rows(writeFile(t, test.name, test.content))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = ReadAll(Items(rows, badColumns(test.name)), Stop)
		bad, ok := errors.AsType[*corpus.RowError](err)
		if !ok {
			t.Fatalf("%s: error %v, expected a bad row", test.name, err)
		}
		for line := range test.want {
			if line < bad.Line {
				t.Errorf("%s: stopped at line %d, the first bad row is at %d", test.name, bad.Line, line)
			}
		}
	}
}

func TestFilesThatAreNoRowsAreErrors(t *testing.T) {
	for name, content := range map[string]string{"x.parquet": "PAR1 not really PAR1", "x.csv": "", "y.csv": "a,a\n1,2\n", "x.jsonl": ""} {
		rows, err := Rows(writeFile(t, name, content))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadAll(rows, SetAside); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Rows("x.xml"); err == nil || !strings.Contains(err.Error(), ".csv") {
		t.Errorf("error %v, expected one that lists what is read", err)
	}
}

func TestGSM8KAsPublished(t *testing.T) {
	dir := published(t, "gsm8k")
	for split, want := range map[string]int{"train": 7473, "test": 1319} {
		problems, err := ReadGSM8K(dir, split)
		if err != nil {
			t.Fatal(err)
		}
		if len(problems) != want {
			t.Errorf("%s: %d problems, expected %d", split, len(problems), want)
		}
		for _, p := range problems {
			if text := p.Question + p.Analysis + p.Answer; p.Analysis == "" || strings.Contains(text, "<<") || strings.Contains(text, gsm8kMark) {
				t.Fatalf("%s has annotations left:\n%+v", p.ID, p)
			}
		}
		if split == "test" && (problems[0].Answer != "18" || problems[0].Analysis != "Janet sells 16 - 3 - 4 = 9 duck eggs a day.\nShe makes 9 * 2 = $18 every day at the farmer’s market.") {
			t.Errorf("first problem %+v", problems[0])
		}
	}
}

func TestGSM8KNamesBadProblems(t *testing.T) {
	dir := t.TempDir()
	content := `{"question":"q","answer":"one <<1=1>>\n#### 1,000"}
{"question":"q","answer":"one"}
{"question":"q"}
{"question":"q","answer":"one <<1=1\n#### 1"}
`
	if err := os.WriteFile(filepath.Join(dir, "test.jsonl"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	problems, report, err := ReadAll(GSM8K(dir, "test"), SetAside)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) != 1 || problems[0].Answer != "1000" || problems[0].Analysis != "one" {
		t.Errorf("problems %+v", problems)
	}
	if got, want := report.Counts(), map[corpus.ErrorKind]int{corpus.OpenSection: 2, corpus.MissingField: 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("bad rows %v, expected %v", got, want)
	}
}
