package note

import (
	"regexp"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
)

const script = `<script>alert("x")</script>`

func TestNothingOfAModelIsInterpreted(t *testing.T) {
	_, dir := repository(t)
	r := open(t, map[string]any{"prompt": script})
	evil := `"><img src=x onerror=alert(1)>`
	text := strings.Join([]string{
		"# Title " + script, "a paragraph with " + script + " and <s> and <|end|> inside", "<div onclick=alert(1)>\nblock\n</div>",
		"[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) <javascript:alert(1)> https://example.org/paper <someone@example.org>",
		"![remote](https://example.org/pixel.png) ![inline](data:image/png;base64,AAAA)", "<!-- comment -->", "<style>body{display:none}</style>", "`" + script + "`",
	}, "\n\n")
	must(t, r.Section(script, &report.Part{
		Method: text, Finding: text, Details: []string{text},
		Numbers: []report.Number{{Name: script, Unit: evil, Value: 1}},
		Tables:  []report.Table{{Name: "t", Title: script, Columns: []string{script}, Rows: [][]any{{script}, {evil}}}},
		Figures: []report.Figure{{Name: "f", Title: evil, Caption: script, Chart: report.PNG(pixels(t)), Table: &report.Table{Title: script, Columns: []string{"c"}, Rows: [][]any{{evil}}}}},
		Samples: []report.Sample{{Title: "sample " + script, Text: "\n</pre>" + script + "\x00\xff"}},
		Facts:   map[string]any{script: evil},
	}))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	lower := strings.ToLower(page)
	for _, bad := range []string{"<script", "<img src=x", "<div onclick", "<!-- comment", "<b>demo", `src="http`, "<s>"} {
		if strings.Contains(lower, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	for _, m := range regexp.MustCompile(`<a href="([^"]*)"`).FindAllStringSubmatch(lower, -1) {
		if !strings.HasPrefix(m[1], "tables/") {
			t.Errorf("a link to %q", m[1])
		}
	}
	if n := strings.Count(lower, "<style"); n != 1 {
		t.Errorf("%d style elements, want the page's own", n)
	}
	if n := strings.Count(lower, "<img "); n != 1 {
		t.Errorf("%d images, want the one figure", n)
	}
	for _, want := range []string{
		"&lt;s&gt;", "&lt;|end|&gt;", "![remote](https://example.org/pixel.png)", "block", "A &lt;b&gt;demo&lt;/b&gt;",
		"Content-Security-Policy", "default-src &#39;none&#39;", "Does emulation help?", "&lt;!-- comment --&gt;", "[a](javascript:alert(1))",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
}

// A request needs a URL that a browser loads by itself: src, srcset, a link element, url() or @import in a style.
func TestThePageRequestsNothing(t *testing.T) {
	_, dir := repository(t)
	r := open(t, nil)
	figure := report.Figure{Name: "f", Chart: report.PNG(pixels(t))}
	must(t, r.Section("One", &report.Part{Method: "![x](http://example.org/a.png) see http://example.org and [x](http://example.org)", Figures: []report.Figure{figure}}))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	for _, m := range regexp.MustCompile(`(?i)(?:src|srcset|data|poster|action)\s*=\s*"([^"]*)"|<link[^>]*href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if url := m[1] + m[2]; !strings.HasPrefix(url, "data:") {
			t.Errorf("the page loads %q", url)
		}
	}
	for _, bad := range []string{"url(", "@import", "<iframe", "<object", "<embed", "<script", "<form", `http-equiv="refresh"`} {
		if strings.Contains(strings.ToLower(page), bad) {
			t.Errorf("%q in the page", bad)
		}
	}
}

func TestThePageSaysHowToRunItAgain(t *testing.T) {
	_, dir := repository(t)
	t.Setenv(env.Backend, "xla:cuda")
	r := open(t, map[string]any{"limit": 200, "prompt": "it's", "model": "testdata/tiny"})
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	want := "go run ./recipes run demo \\\n    -p limit=200 \\\n    -p model=testdata/tiny \\\n    -p &#39;prompt=it&#39;\\&#39;&#39;s&#39; \\\n    --backend xla:cuda</pre>"
	if !strings.Contains(page, want) || !strings.Contains(page, "go run ./recipes check demo") {
		t.Errorf("no command %q in\n%s", want, page)
	}
}

func TestANotebookThatIsNoRecipeNamesNoCommand(t *testing.T) {
	_, dir := repository(t)
	r, err := Open("exploring", nil)
	must(t, err)
	must(t, r.Finish())
	if strings.Contains(read(t, dir, "note.html"), "go run ./recipes") {
		t.Error("the runner cannot run this notebook, but the note says so")
	}
}

func TestFiguresAreShownAtTheirLogicalSize(t *testing.T) {
	_, dir := repository(t)
	r := open(t, nil)
	sharp := plot.Heatmap{Size: plot.Size{Width: 300, Height: 200, Scale: 2}, Values: [][]float64{{1, 2}}}
	must(t, r.Section("One", &report.Part{Figures: []report.Figure{{Name: "sharp", Chart: sharp}, {Name: "plain", Chart: report.PNG(pixels(t))}}}))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	for _, want := range []string{`width="300" height="200"`, `width="30" height="20"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in the page", want)
		}
	}
}
