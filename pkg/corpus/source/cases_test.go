package source

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
)

// cases is where inputs made after public bug reports lie beside a checkout; they are not part of the repository.
const cases = "../../../../shared/cases"

// odd is an input as people have it and what reading it must give: items, or an error that mentions all of a list. Those with a folder are also read from
// there.
type odd struct {
	name, folder string
	files        map[string]string // name and content; a single file is opened by its path, otherwise the directory
	columns      string
	items        []corpus.Item // question, options and answer count
	errors       []string
}

func one(question string, answer int, options ...string) corpus.Item {
	return corpus.Item{Question: question, Options: options, Answer: answer}
}

var (
	botany    = []corpus.Item{one("Which part of a plant takes up water?", 0, "root", "petal", "stamen", "sepal"), one("Which gas do leaves take up?", 1, "argon", "carbon dioxide", "helium", "neon")}
	twoPlus   = []corpus.Item{one("2+2?", 0, "4", "5")}
	optionsAB = "options=A B"
)

func file(name, content string) map[string]string { return map[string]string{name: content} }

var oddInputs = []odd{
	// CSV: byte order marks, line ends, separators, encodings.
	{name: "byte order mark", folder: "csv-bom", files: file("q.csv", "\xef\xbb\xbfquestion,A,B,answer\n2+2?,4,5,A\n"), columns: optionsAB, items: twoPlus},
	{name: "byte order mark before a quote", files: file("q.csv", "\xef\xbb\xbf\"question\",A,B,answer\n2+2?,4,5,A\n"), items: twoPlus},
	{name: "lines end in CR alone", folder: "csv-cr", files: file("q.csv", "question,A,B,answer\r2+2?,4,5,A\r3+3?,6,7,A\r"), columns: optionsAB,
		items: []corpus.Item{one("2+2?", 0, "4", "5"), one("3+3?", 0, "6", "7")}},
	{name: "lines end in CR LF, the last in nothing", files: file("q.csv", "question,A,B,answer\r\n2+2?,4,5,A\r\n\r\n3+3?,6,7,B"),
		items: []corpus.Item{one("2+2?", 0, "4", "5"), one("3+3?", 1, "6", "7")}},
	{name: "a break in quotes stays as it is", files: file("q.csv", "question,A,B,answer\r\n\"one\r\ntwo\rthree\nfour, \"\"five\"\"\",4,5,A\r\n"),
		items: []corpus.Item{one("one\r\ntwo\rthree\nfour, \"five\"", 0, "4", "5")}},
	{name: "spaces in the header", folder: "csv-headerspace", files: file("q.csv", "question, A, B, answer\n2+2?, 4, 5, A\n"), columns: optionsAB,
		errors: []string{"q.csv:2:", `field "A" is missing`, `" A", " B", " answer", "question"`, "spaces"}},
	{name: "a space behind a name", files: file("q.csv", "question ,A,B,answer\n2+2?,4,5,A\n"), errors: []string{`field "question" is missing`, `"question "`}},
	{name: "another case of a name", files: file("q.csv", "Question,A,B,answer\n2+2?,4,5,A\n"), errors: []string{`field "question" is missing`, `"Question"`, "capitals"}},
	{name: "semicolons", folder: "csv-semicolon", files: file("q.csv", "question;A;B;answer\n2+2?;4;5;A\n"), columns: optionsAB, items: twoPlus},
	{name: "semicolons, with commas in the texts", files: file("q.csv", "question;A;B;answer\nWhat, then?;4,0;5;B\n"), items: []corpus.Item{one("What, then?", 1, "4,0", "5")}},
	{name: "tabs", files: file("q.csv", "question\tA\tB\tanswer\n2+2?\t4\t5\tA\n"), items: twoPlus},
	{name: "tabs in a .tsv", files: file("q.tsv", "question, if any\tA\tB\tanswer\n2+2?\t4\t5\tA\n"), columns: `question="question, if any"`, items: twoPlus},
	{name: "a separator told before the header", files: file("q.csv", "sep=;\r\nquestion, or so;A;B;answer\r\n2+2?;4;5;A\r\n"), columns: `question="question, or so"`, items: twoPlus},
	{name: "a separator told, an error in line 3", files: file("q.csv", "sep=|\nquestion|A|B|answer\n2+2?|4|5|X\n"), errors: []string{"q.csv:3:", `"X"`}},
	{name: "bars", files: file("q.csv", "question|A|B|answer\n2+2?|4|5|A\n"), errors: []string{`field "question" is missing`, `"question|A|B|answer"`, "comma"}},
	{name: "an index without a name, as pandas writes it", files: file("q.csv", ",question,A,B,answer\n0,2+2?,4,5,A\n"), items: twoPlus},
	{name: "empty columns at the end, as spreadsheets write them", files: file("q.csv", "question,A,B,answer,,\n2+2?,4,5,A,,\n"), items: twoPlus},
	{name: "UTF-16, little-endian", folder: "csv-utf16", files: file("q.csv", "\xff\xfeq\x00u\x00,\x00a\x00\n\x00"), errors: []string{"q.csv:1:", "UTF-16", "UTF-8"}},
	{name: "UTF-16, big-endian", files: file("q.csv", "\xfe\xff\x00q\x00u"), errors: []string{"q.csv:1:", "UTF-16"}},
	{name: "UTF-16 without a mark", files: file("q.csv", "q\x00u\x00,\x00a\x00\n\x001\x00,\x002\x00\n\x00"), errors: []string{"q.csv:1:", "UTF-16"}},
	{name: "UTF-32", files: file("q.csv", "\xff\xfe\x00\x00q\x00\x00\x00"), errors: []string{"q.csv:1:", "UTF-32"}},
	{name: "Latin-1", files: file("q.csv", "question,A,B,answer\nCaf\xe9?,4,5,A\n"), errors: []string{"q.csv:2:", `"question"`, "UTF-8"}},
	{name: "Latin-1 in the header", files: file("q.csv", "r\xe9ponse,A\n1,2\n"), errors: []string{"q.csv:1:", `r\xe9ponse`, "UTF-8"}},
	{name: "a spreadsheet", files: file("q.csv", "PK\x03\x04rest"), errors: []string{"zip", ".xlsx"}},
	{name: "packed", files: file("q.jsonl", "\x1f\x8b\x08\x00"), errors: []string{"gzip"}},
	{name: "parquet under another name", files: file("q.csv", "PAR1...."), errors: []string{"parquet"}},
	{name: "too few fields", files: file("q.csv", "question,A,B,answer\n2+2?,4,A\n"), errors: []string{"q.csv:2:", "found 3 fields, expected 4", `"answer" is missing`}},
	{name: "too many fields", files: file("q.csv", "question,A,B,answer\nWhat, then?,4,5,A\n"), errors: []string{"q.csv:2:", "found 5 fields, expected 4", "not quoted"}},
	{name: "a quote within a field", files: file("q.csv", "question,A,B,answer\n5\" pipe?,4,5,A\n"), errors: []string{"q.csv:2:", "quote", "double"}},
	{name: "text behind a closing quote", files: file("q.csv", "question,A,B,answer\n\"a\"b,4,5,A\n"), errors: []string{"q.csv:2:", `'b' follows`}},
	{name: "a quote that never closes", files: file("q.csv", "question,A,B,answer\n\"a,4,5,A\nb,4,5,A\n"), errors: []string{"q.csv:2:", "opens at line 2", "does not close"}},
	{name: "a name twice", files: file("q.csv", "question,A,A,answer\n2+2?,4,5,A\n"), errors: []string{"q.csv:1:", `"A" is there twice`}},
	{name: "a header alone", files: file("q.csv", "question,A,B,answer\n"), errors: []string{"no rows"}},
	{name: "nothing", files: file("q.csv", ""), errors: []string{"q.csv:1:", "empty"}},
	{name: "an id twice", files: file("q.csv", "id,question,A,B,answer\nx,p?,4,5,A\nx,q?,4,5,A\n"), errors: []string{"q.csv:3:", `"x"`, "line 2"}},
	{name: "texts that look like missing values", files: file("q.csv", "question,A,B,C,answer\nSecond?,None,NaN,null,B\n"), items: []corpus.Item{one("Second?", 1, "None", "NaN", "null")}},
	// Answers.
	{name: "the answer as text, with spaces around", folder: "answer-text-space", files: file("q.csv", "question,o1,o2,answer\nCapital of Norway?,Oslo ,Bergen,Oslo \nCapital of Peru?,Cusco,Lima,Lima\n"),
		columns: "options=o1 o2,form=text", items: []corpus.Item{one("Capital of Norway?", 0, "Oslo ", "Bergen"), one("Capital of Peru?", 1, "Cusco", "Lima")}},
	{name: "the answer as text, spaces on one side, no form given", files: file("q.csv", "question,o1,o2,answer\nCapital of Norway?, Oslo ,Bergen,Oslo\n"),
		columns: "options=o1 o2", items: []corpus.Item{one("Capital of Norway?", 0, " Oslo ", "Bergen")}},
	{name: "letters as people write them", files: file("q.csv", "question,A,B,answer\na?,4,5,b\nb?,4,5,(B)\nc?,4,5,B.\nd?,4,5, B \n"),
		items: []corpus.Item{one("a?", 1, "4", "5"), one("b?", 1, "4", "5"), one("c?", 1, "4", "5"), one("d?", 1, "4", "5")}},
	{name: "a letter that is also an option's text", files: file("q.csv", "question,x,y,answer\nWhich?,B,A,A\n"), columns: "options=x y", errors: []string{"q.csv:2:", "form=letter or form=text"}},
	{name: "numbers from 0, as pandas writes them", files: file("q.csv", "question,A,B,answer\na?,4,5,1.0\nb?,4,5,0\n"), columns: "form=0", items: []corpus.Item{one("a?", 1, "4", "5"), one("b?", 0, "4", "5")}},
	{name: "numbers from 1", files: file("q.csv", "question,A,B,answer\na?,4,5,1\n"), columns: "form=1", items: []corpus.Item{one("a?", 0, "4", "5")}},
	{name: "a number, no form given", files: file("q.csv", "question,A,B,answer\na?,4,5,1\n"), errors: []string{"q.csv:2:", "form=0 or form=1"}},
	{name: "a number that is none of an option", files: file("q.csv", "question,A,B,answer\na?,4,5,1.5\n"), columns: "form=0", errors: []string{"q.csv:2:", `"1.5"`, "from 0 to 1"}},
	{name: "a label beyond the options", files: file("q.csv", "question,A,B,answer\na?,4,5,C\n"), errors: []string{"q.csv:2:", `"C"`, "from A to B"}},
	{name: "options that are equal", files: file("q.csv", "question,A,B,answer\na?,4,4,A\n"), errors: []string{"q.csv:2:", `"4" repeats`}},
	{name: "an unknown key of columns", files: file("q.csv", "question,A,B,answer\n"), columns: "anwser=x", errors: []string{`"anwser"`, "question, options"}},
	// JSON lines.
	{name: "half a surrogate pair", folder: "jsonl-lone-surrogate", files: file("surrogate.jsonl", `{"question":"smile \ud83d now?","options":["a \udc00","b"],"answer":"A"}`+"\n"), errors: []string{"surrogate.jsonl:1:", `\ud83d`, "surrogate"}},
	{name: "half a surrogate pair among others", folder: "jsonl-odd", files: file("surrogate.jsonl", `{"question":"smile \ud83d now?","options":["a \udc00","b"],"answer":"A"}`+"\n"), errors: []string{"surrogate.jsonl:1:", `\ud83d`}},
	{name: "a whole surrogate pair", files: file("q.jsonl", `{"question":"\ud83d\ude00?","options":["a","b"],"answer":"A"}`), items: []corpus.Item{one("😀?", 0, "a", "b")}},
	{name: "an array", folder: "jsonl-odd", files: file("array.jsonl", `[{"question":"q","options":["a","b"],"answer":"A"}]`), errors: []string{"array.jsonl:1:", "an array", "object"}},
	{name: "a key twice", folder: "jsonl-odd", files: file("dupkey.jsonl", `{"question":"q1","options":["a","b"],"answer":"A","answer":"B"}`+"\n"), errors: []string{"dupkey.jsonl:1:", `"answer"`, "twice"}},
	{name: "NaN", folder: "jsonl-odd", files: file("nan.jsonl", `{"question":"q","options":["a","b"],"answer":"A","grade":NaN}`+"\n"), errors: []string{"nan.jsonl:1:", "NaN"}},
	{name: "null among the options", folder: "jsonl-odd", files: file("nullopt.jsonl", `{"question":"q","options":["a",null],"answer":"A"}`+"\n"), errors: []string{"nullopt.jsonl:1:", `"options"`, "entry 2 is null"}},
	{name: "a line separator in a text", folder: "jsonl-odd", files: file("u2028.jsonl", "{\"question\":\"q\u2028r\",\"options\":[\"a\",\"b\"],\"answer\":\"A\"}\r\n"), items: []corpus.Item{one("q\u2028r", 0, "a", "b")}},
	{name: "a null that is not asked for", files: file("q.jsonl", `{"question":"q","options":["a","b"],"answer":"A","tags":["x",null],"vectors":[[1,2],[3]],"note":null}`), items: []corpus.Item{one("q", 0, "a", "b")}},
	{name: "a question that is null", files: file("q.jsonl", `{"question":null,"options":["a","b"],"answer":"A"}`), errors: []string{"q.jsonl:1:", `"question" is missing or null`}},
	{name: "lines that end in CR alone", files: file("q.jsonl", "{\"question\":\"q\",\"options\":[\"a\",\"b\"],\"answer\":\"A\"}\r{\"question\":\"r\",\"options\":[\"a\",\"b\"],\"answer\":\"A\"}\r"), errors: []string{"q.jsonl:1:", "CR alone"}},
	{name: "a byte order mark and blank lines", files: file("q.jsonl", "\xef\xbb\xbf\n{\"question\":\"q\",\"options\":[\"a\",\"b\"],\"answer\":\"A\"}\n\n"), items: []corpus.Item{one("q", 0, "a", "b")}},
	{name: "numbers as options and answer", files: file("q.jsonl", `{"question":"q","options":[1e21,2.50,true],"answer":1}`), columns: "form=0", items: []corpus.Item{one("q", 1, "1e21", "2.50", "true")}},
	{name: "objects as options", files: file("q.jsonl", `{"question":"q","choices":[{"text":"a","label":"A"},{"text":"b","label":"B"}],"key":"B"}`), columns: "options=choices_text,labels=choices_label,answer=key", items: []corpus.Item{one("q", 1, "a", "b")}},
	{name: "options by letter", files: file("q.jsonl", `{"question":"q","options":{"A":"a","B":"b"},"answer":"B"}`), items: []corpus.Item{one("q", 1, "a", "b")}},
	{name: "an infinite number", files: file("q.jsonl", `{"question":"q","options":["a","b"],"answer":"A","score":-Infinity}`), errors: []string{"q.jsonl:1:", "Infinity"}},
	{name: "a cut line", files: file("q.jsonl", `{"question":"q","options":["a","b"],"ans`), errors: []string{"q.jsonl:1:", "cut off"}},
	{name: "names that differ in case", files: file("q.jsonl", `{"Question":"q","options":["a","b"],"answer":"A"}`), errors: []string{"q.jsonl:1:", `"Question"`, "capitals"}},
	{name: "two fields of one name", files: file("q.jsonl", `{"a_b":"1","a":{"b":"2"}}`), errors: []string{"q.jsonl:1:", `"a_b"`}},
	{name: "JSON lines as .json", files: file("q.json", `{"question":"q","options":["a","b"],"answer":"A","choices":[{"x":"1"}]}`+"\n"+`{"question":"r","options":["a","b"],"answer":"B"}`+"\n"), items: []corpus.Item{one("q", 0, "a", "b"), one("r", 1, "a", "b")}},
	{name: "an array as .json", files: file("q.json", "[\n {\"question\":\"q\",\"options\":[\"a\",\"b\"],\"answer\":\"A\"}\n]\n"), items: []corpus.Item{one("q", 0, "a", "b")}},
	{name: "a document without rows", files: file("q.json", `{"a":1,"b":[1,2]}`), errors: []string{"q.json", "0 arrays of objects"}},
	{name: "a document with two arrays", files: file("q.json", `{"train":[{"q":1}],"test":[{"q":1}]}`), errors: []string{"q.json", `"train", "test"`}},
	{name: "a list in a table", files: file("q.csv", "question,options,answer\nq,\"[\"\"a\"\", \"\"b\"\"]\",B\n"), items: []corpus.Item{one("q", 1, "a", "b")}},
	{name: "a list in a table as Python writes it", files: file("q.csv", "question,options,answer\nq,\"['a', 'b']\",B\n"), errors: []string{"q.csv:2:", `"options" is one text`}},
	{name: "an array in a document", files: file("q.json", `{"canary":"x","examples":[{"question":"q","options":["a","b"],"answer":"A"}]}`), items: []corpus.Item{one("q", 0, "a", "b")}},
	// MMLU as published.
	{name: "MMLU with a byte order mark", folder: "mmlu-bom", files: file("test/botany_test.csv", "\xef\xbb\xbfWhich part of a plant takes up water?,root,petal,stamen,sepal,A\nWhich gas do leaves take up?,argon,carbon dioxide,helium,neon,B\n"), items: botany},
	{name: "MMLU with a byte order mark before a quote", folder: "mmlu-bom-quoted", files: file("test/botany_test.csv", "\xef\xbb\xbf\"Which part of a plant, if any, takes up water?\",root,petal,stamen,sepal,A\n\"Which gas do leaves take up?\",argon,carbon dioxide,helium,neon,B\n"),
		items: []corpus.Item{one("Which part of a plant, if any, takes up water?", 0, "root", "petal", "stamen", "sepal"), botany[1]}},
	{name: "MMLU with CR LF", folder: "mmlu-crlf", files: file("test/botany_test.csv", "\"Line one\r\nline two?\",root,petal,stamen,None,A\r\nSecond?,N/A,NaN,null,True,B\r\n\r\n"),
		items: []corpus.Item{one("Line one\r\nline two?", 0, "root", "petal", "stamen", "None"), one("Second?", 1, "N/A", "NaN", "null", "True")}},
	{name: "MMLU with CR", files: file("test/botany_test.csv", "One?,a,b,c,d,A\rTwo?,a,b,c,d,d\r"), items: []corpus.Item{one("One?", 0, "a", "b", "c", "d"), one("Two?", 3, "a", "b", "c", "d")}},
	{name: "MMLU in Latin-1", folder: "mmlu-latin1", files: file("test/botany_test.csv", "Caf\xe9?,root,petal,stamen,None,A\r\n"), errors: []string{"botany_test.csv:1:", "UTF-8"}},
	{name: "MMLU with an empty subject", files: map[string]string{"test/botany_test.csv": "One?,a,b,c,d,A\n", "test/zoology_test.csv": "\n"}, errors: []string{"zoology_test.csv", "no items"}},
	{name: "MMLU in UTF-16", files: file("test/botany_test.csv", "\xff\xfeO\x00"), errors: []string{"botany_test.csv:1:", "UTF-16"}},
	// PIQA and SIQA as published.
	{name: "PIQA with an empty line of labels", folder: "piqa-blank", files: map[string]string{"valid.jsonl": "{\"goal\":\"g\",\"sol1\":\"x\",\"sol2\":\"y\"}\r\n{\"goal\":\"h\",\"sol1\":\"x\",\"sol2\":\"y\"}\r\n", "valid-labels.lst": "0\r\n1\r\n\r\n"},
		items: []corpus.Item{one("g", 0, "x", "y"), one("h", 1, "x", "y")}},
	{name: "PIQA with an empty line of items", folder: "piqa-blank2", files: map[string]string{"valid.jsonl": "{\"goal\":\"g\",\"sol1\":\"x\",\"sol2\":\"y\"}\n\n", "valid-labels.lst": "0\n"}, items: []corpus.Item{one("g", 0, "x", "y")}},
	{name: "PIQA with equal options", folder: "piqa-dup", files: map[string]string{"valid.jsonl": "{\"goal\":\"g\",\"sol1\":\"x\",\"sol2\":\"x\"}\n", "valid-labels.lst": "1\n"}, items: []corpus.Item{one("g", 1, "x", "x")}},
	{name: "PIQA with labels of a table", files: map[string]string{"valid.jsonl": "{\"goal\":\"g\",\"sol1\":\"x\",\"sol2\":\"y\"}\n", "valid-labels.lst": "\xef\xbb\xbf1.0\r"}, items: []corpus.Item{one("g", 1, "x", "y")}},
	{name: "PIQA with an empty line between labels", files: map[string]string{"valid.jsonl": "{\"goal\":\"g\",\"sol1\":\"x\",\"sol2\":\"y\"}\n{\"goal\":\"h\",\"sol1\":\"x\",\"sol2\":\"y\"}\n", "valid-labels.lst": "0\n\n1\n"}, errors: []string{"valid-labels.lst:2:", `""`}},
	{name: "SIQA with a label too many", files: map[string]string{"dev.jsonl": `{"context":"c","question":"q","answerA":"1","answerB":"2","answerC":"3"}`, "dev-labels.lst": "1\n2\n"}, errors: []string{"1 items", "2 labels"}},
	// Rows of published sets in other files.
	{name: "ARC", files: file("test.jsonl", `{"id":"x","question":"q","choices":{"text":["a","b","c"],"label":["1","2","3"]},"answerKey":"3"}`), items: []corpus.Item{one("q", 2, "a", "b", "c")}},
	{name: "ARC as its authors have it", files: file("test.jsonl", `{"id":"x","question":{"stem":"q","choices":[{"text":"a","label":"A"},{"text":"b","label":"B"}]},"answerKey":"B"}`), items: []corpus.Item{one("q", 1, "a", "b")}},
	{name: "HellaSwag", files: file("val.jsonl", `{"ind":1,"activity_label":"Roof shingle removal","ctx_a":"A man is sitting on a roof.","ctx_b":"he","ctx":"x","endings":["is using wrap to wrap a pair of skis.","is [step] ripping [title] level tiles off.","c","d"],"label":"1"}`),
		items: []corpus.Item{one("Roof shingle removal: A man is sitting on a roof. He", 1, "is using wrap to wrap a pair of skis.", "is ripping. level tiles off.", "c", "d")}},
	{name: "PIQA of the hub", files: file("q.csv", "goal,sol1,sol2,label\ng,x,y,1\n"), items: []corpus.Item{one("g", 1, "x", "y")}},
	{name: "MMLU of the hub", files: file("q.jsonl", `{"question":"q","subject":"anatomy","choices":["a","b","c","d"],"answer":2}`), items: []corpus.Item{one("q", 2, "a", "b", "c", "d")}},
	{name: "a test split without answers", files: file("q.csv", "goal,sol1,sol2,label\ng,x,y,-1\n"), errors: []string{"q.csv:2:", `"-1"`, "without answers"}},
}

// read opens an input of the files in dir.
func (o odd) read(t *testing.T, dir string) (*Set, error) {
	if len(o.files) == 1 {
		for name := range o.files {
			if filepath.Dir(name) == "." {
				dir = filepath.Join(dir, name)
			}
		}
	}
	return Open(t.Context(), dir, Options{Columns: o.columns})
}

func (o odd) check(t *testing.T, dir string) {
	t.Helper()
	set, err := o.read(t, dir)
	for _, want := range o.errors {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one that mentions %s", err, want)
		}
	}
	if len(o.errors) > 0 {
		if err != nil && strings.Contains(err.Error(), "\ufffd") {
			t.Errorf("the error shows a replacement character: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []corpus.Item
	for _, item := range set.Items {
		got = append(got, one(item.Question, item.Answer, item.Options...))
	}
	if !reflect.DeepEqual(got, o.items) {
		t.Errorf("read\n%+v\nexpected\n%+v", got, o.items)
	}
}

func TestOddInputsAreReadRightOrRefusedByName(t *testing.T) {
	for _, input := range oddInputs {
		t.Run(input.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range input.files {
				write(t, filepath.Join(dir, name), content)
			}
			input.check(t, dir)
		})
	}
}

func TestOddInputsOfTheCases(t *testing.T) {
	if _, err := os.Stat(cases); err != nil {
		t.Skipf("the cases are not beside this checkout: %v", err)
	}
	for _, input := range oddInputs {
		if input.folder != "" {
			t.Run(input.folder+" "+input.name, func(t *testing.T) { input.check(t, filepath.Join(cases, input.folder)) })
		}
	}
}

// TestExamplesOfOwnFilesAgree reads testdata/items.
func TestExamplesOfOwnFilesAgree(t *testing.T) {
	want := []corpus.Item{
		one("What is 2 plus 2?", 1, "3", "4", "5"), one("Which of these, if any, is a fruit?", 0, "pear", "axe", "bus"), one("Which is the largest?", 1, "a pea", "a melon", "a plum"),
	}
	for name, columns := range map[string]string{
		"items.csv": "", "items.jsonl": "", "items.parquet": "", "items.sections": "", "columns.csv": "question=prompt,options=first second third,answer=label,form=0",
	} {
		odd{columns: columns, files: file(name, ""), items: want}.check(t, "../../../testdata/items")
	}
}
