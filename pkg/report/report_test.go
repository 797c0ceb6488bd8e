package report

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/stats"
)

func pixels(t *testing.T) PNG {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

type drawn struct{ t *testing.T }

func (d drawn) PNG() ([]byte, error) { return pixels(d.t), nil }

func TestPartsCrossTheWireWithTheirChartsDrawn(t *testing.T) {
	p := Part{Method: "m", Finding: "f", Answers: true,
		Arms:    []Arm{{Name: "a", Words: "does nothing", Definition: json.RawMessage(`{"x":1}`)}},
		Numbers: []Number{{Name: "n", Value: math.Nextafter(0.3, 1), CI95: &stats.Interval{Low: 0.1, High: 0.5}}},
		Figures: []Figure{{Name: "fig", Title: "t", Chart: drawn{t}, Table: &Table{Name: "x", Columns: []string{"c"}, Rows: [][]any{{json.Number("9007199254740993")}}}}},
		Attention: []Attention{{Name: "maps", Tokens: []string{"a", "\x1b"}, Arms: []string{"a"},
			Probs: Array{Shape: []int{1, 1, 1, 2, 2}, Axes: []string{"arm", "layer", "head", "query", "key"}, Values: []float32{1, 0, 0.25, 0.75}}}},
		Samples: []Sample{{Title: "s", Text: "<b>"}}, Facts: map[string]any{"dtype": "float32"},
	}
	b, err := json.Marshal(&p)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"ci95":[0.1,0.5]`) {
		t.Errorf("an interval is [low, high] in JSON: %s", b)
	}
	var got Part
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	p.Figures[0].Chart = pixels(t)
	if !reflect.DeepEqual(p, got) {
		t.Errorf("sent %+v\ngot  %+v", p, got)
	}
}

func TestNumbersOfAResultsFileKeepTheirForm(t *testing.T) {
	b, err := json.Marshal(Number{Name: "acc/all/baseline", Value: 0.5, Unit: "share", N: 10})
	if want := `{"name":"acc/all/baseline","value":0.5,"unit":"share","n":10,"ci95":null,"tolerance":0}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	for want, n := range map[string]Number{
		"has no name":            {Value: 1},
		`"a": the value is NaN`:  {Name: "a", Value: math.NaN()},
		"the interval is [2, 1]": {Name: "a", CI95: &stats.Interval{Low: 2, High: 1}},
		"tolerance is -1":        {Name: "a", Tolerance: -1},
		"n is -1":                {Name: "a", N: -1},
	} {
		wantError(t, n.Check(), want)
	}
}

func TestATableIsCheckedAndWrittenAsCSV(t *testing.T) {
	half := 0.5
	table, err := (Table{Name: "t", Columns: []string{"arm, name", "k", "p"}, Rows: [][]any{{`a "b"`, int64(9007199254740993), &half}, {"-1", nil, 1e-9}}}).Checked()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(table.Numeric(), []bool{false, true, true}) {
		t.Errorf("numeric columns %v", table.Numeric())
	}
	b, err := table.CSV()
	if want := "\"arm, name\",k,p\n\"a \"\"b\"\"\",9007199254740993,0.5\n-1,,1e-9\n"; err != nil || string(b) != want {
		t.Errorf("CSV %q, %v; want %q", b, err, want)
	}
	for want, bad := range map[string]Table{
		`table "x" has no name`:            {Title: "x"},
		"no columns":                       {Name: "t"},
		`row 1 has 2 cells for 1 columns`:  {Name: "t", Columns: []string{"c"}, Rows: [][]any{{1}, {1, 2}}},
		`row 0, column "c" is NaN: use`:    {Name: "t", Columns: []string{"c"}, Rows: [][]any{{math.NaN()}}},
		`column "c" is a map[string]int: `: {Name: "t", Columns: []string{"c"}, Rows: [][]any{{map[string]int{}}}},
	} {
		_, err := bad.Checked()
		wantError(t, err, want)
	}
}

func TestCleanTakesOutWhatActsOnATerminalOrReordersAPage(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[31mred\x1b[0m b":                       "ared b",
		"\x1b]0;title\x07x\x1b]8;;http://a\x1b\\link": "xlink",
		"\u009b2Jy\u009d0;t\u009cz":                   "yz",
		"a\x1bcb\x1b(Bc":                              "abc",
		"end\x1b":                                     "end",
		"unclosed\x1b]0;title\nnext":                  "unclosed\nnext",
		"user\u202etxt.exe\u2066 \u200fx":             "usertxt.exe x",
		"tab\tline\r\nover\rwrite\b\x00\x7f":          "tab\tline\noverwrite",
		"\xff ▁é 中 😀 <s>":                             "\ufffd ▁é 中 😀 <s>",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTableHTMLEscapes(t *testing.T) {
	html, err := (&Table{Columns: []string{"<script>x</script>"}, Rows: [][]any{{`<img src=x onerror=alert(1)>`}, {0.123456789}, {nil}}}).HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img"} {
		if strings.Contains(html, bad) {
			t.Errorf("%s passed through: %s", bad, html)
		}
	}
	for _, want := range []string{"&lt;img", `title="0.123456789">0.1235<`, ">–<"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in %s", want, html)
		}
	}
}

func TestACellShowsFindingTablesPicturesAndSamplesInOrder(t *testing.T) {
	p := &Part{Method: "how <it>", Finding: "found", Tables: []Table{{Title: "T", Columns: []string{"c"}, Rows: [][]any{{1}}}},
		Figures: []Figure{{Name: "f", Caption: "cap\u202e", Chart: pixels(t)}}, Samples: []Sample{{Text: "\x1b[1m</pre>"}}}
	blocks, err := p.blocks()
	if err != nil || len(blocks) != 3 || blocks[1].png == nil {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	for i, want := range map[int]string{0: "<p><b>found</b></p>\n<p>how &lt;it&gt;</p>\n<h4>T</h4>\n<table", 2: "<small>cap</small>\n<pre style=\"white-space:pre-wrap\">\n&lt;/pre&gt;</pre>\n"} {
		if !strings.HasPrefix(blocks[i].html, want) {
			t.Errorf("block %d is %q, want %q first", i, blocks[i].html, want)
		}
	}
	bare, err := (&Part{Arms: []Arm{{Name: "released", Words: "emulates"}}, Numbers: []Number{{Name: "acc", Value: 0.5, CI95: &stats.Interval{Low: 0.4, High: 0.6}}}}).blocks()
	if err != nil || len(bare) != 1 || !strings.Contains(bare[0].html, "released") || !strings.Contains(bare[0].html, "0.4000 to 0.6000") {
		t.Errorf("a part of arms and numbers shows %v, %v", bare, err)
	}
	wantError(t, Display(&Part{Figures: []Figure{{Name: "x"}}}), `figure "x" has no chart`)
	wantError(t, Display(&Part{Figures: []Figure{{Name: "x", Chart: PNG("gif")}}}), `figure "x": not a PNG (3 bytes)`)
	wantError(t, Display(&Part{Tables: []Table{{Columns: []string{"a"}, Rows: [][]any{{1, 2}}}}}), "row 0 has 2 cells for 1 columns")
	wantError(t, DisplayPNG(nil), "empty")
	wantError(t, DisplayHTML(""), "empty")
	if err := Display(p); err != nil {
		t.Errorf("outside a notebook nothing happens: %v", err)
	}
}

func TestArraysOfWrongShapeAreRefused(t *testing.T) {
	for want, a := range map[string]Array{
		"has 3 values, want 4":      {Shape: []int{2, 2}, Axes: []string{"a", "b"}, Values: make([]float32, 3)},
		"a name for each dimension": {Shape: []int{2}, Values: make([]float32, 2)},
		"want sizes >= 0":           {Shape: []int{-1}, Axes: []string{"a"}},
	} {
		_, err := json.Marshal(a)
		wantError(t, err, want)
	}
	var a Array
	wantError(t, json.Unmarshal([]byte(`{"shape":[1],"axes":["x"],"float32":"AAA="}`), &a), "multiple of 4")
	wantError(t, json.Unmarshal([]byte(`{"shape":[4611686018427387904,4],"axes":["x","y"],"float32":""}`), &a), "want sizes >= 0")
	m := Attention{Name: "m", Tokens: []string{"a"}, Arms: []string{"x"}, Probs: Array{Shape: []int{1, 1, 1, 1, 2}, Axes: make([]string, 5), Values: make([]float32, 2)}}
	wantError(t, m.Check(), "want [arms, layers, heads, tokens, tokens]")
}
