package note

import (
	"regexp"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/plot"

	"github.com/attune-lab/attune/pkg/env"
)

const script = `<script>alert("x")</script>`

func TestNothingOfAModelIsInterpreted(t *testing.T) {
	_, dir := repository(t)
	r := begin(t, map[string]any{"prompt": script})
	evil := `"><img src=x onerror=alert(1)>`
	must(t, r.Sample("sample "+script, "\n</pre>"+script+"\x00\xff"))
	must(t, r.Table(Table{Name: "t", Title: script, Columns: []string{script}, Rows: [][]any{{script}, {evil}}}))
	must(t, r.Figure(Figure{Name: "f", Title: evil, Caption: script, PNG: pixels(t), Table: &Table{Title: script, Columns: []string{"c"}, Rows: [][]any{{evil}}}}))
	must(t, r.Result(Result{Name: script, Unit: evil, Value: 1}))
	must(t, r.Provenance(script, evil))
	must(t, r.Prose(strings.Join([]string{
		"# Title " + script, "a paragraph with " + script + " and <s> and <|end|> inside", script, "<div onclick=alert(1)>\nblock\n</div>",
		"[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) <javascript:alert(1)> [d](vbscript:x)",
		"[e](java&#115;cript:alert(1)) [f](<java\tscript:alert(1)>) [g](java\\script:alert(1)) <data:text/html,x> [h](//example.org) [i](../x) [j][ref]",
		"[ref]: javascript:alert(1)", "<someone@example.org> <https://example.org/a?b=c&d>",
		"![remote](https://example.org/pixel.png) ![inline](data:image/png;base64,AAAA) ![js](javascript:alert(1))",
		"[fine](https://example.org/paper)", "<!-- comment -->", "<style>body{display:none}</style>", "`" + script + "`", "```html\n" + script + "\n```",
		"| a |\n|---|\n| " + script + " |",
	}, "\n\n")))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	lower := strings.ToLower(page)
	for _, bad := range []string{"<script", "<img src=x", "<div onclick", "<!-- comment", "<b>demo", `src="http`, "<s>"} {
		if strings.Contains(lower, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	for _, m := range regexp.MustCompile(`<a href="([^"]*)"`).FindAllStringSubmatch(lower, -1) {
		if !strings.HasPrefix(m[1], "https://example.org/") && m[1] != "mailto:someone@example.org" && !strings.HasPrefix(m[1], "tables/") {
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
		"&lt;s&gt;", "&lt;|end|&gt;", "remote", `<a href="https://example.org/paper" rel="noopener noreferrer">fine</a>`, "block", "A &lt;b&gt;demo&lt;/b&gt;",
		"Content-Security-Policy", "default-src &#39;none&#39;", "Does emulation help?", "&lt;!-- comment --&gt;", `href="mailto:someone@example.org"`, `href="https://example.org/a?b=c&amp;d"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
}

// A request needs a URL that a browser loads by itself: src, srcset, a link element, url() or @import in a style.
func TestThePageRequestsNothing(t *testing.T) {
	_, dir := repository(t)
	r := begin(t, nil)
	must(t, r.Figure(Figure{Name: "f", PNG: pixels(t)}))
	must(t, r.Prose("![x](http://example.org/a.png)\n\nsee http://example.org and [x](http://example.org)"))
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
	r := begin(t, map[string]any{"limit": 200, "prompt": "it's", "model": "testdata/tiny"})
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	want := "go run ./recipes run demo \\\n    -p limit=200 \\\n    -p model=testdata/tiny \\\n    -p &#39;prompt=it&#39;\\&#39;&#39;s&#39; \\\n    --backend xla:cuda</pre>"
	if !strings.Contains(page, want) || !strings.Contains(page, "go run ./recipes check demo") {
		t.Errorf("no command %q in\n%s", want, page)
	}
}

func TestANotebookThatIsNoRecipeNamesNoCommand(t *testing.T) {
	_, dir := repository(t)
	r, err := Begin("exploring", nil)
	must(t, err)
	must(t, r.Finish())
	if strings.Contains(read(t, dir, "note.html"), "go run ./recipes") {
		t.Error("the runner cannot run this notebook, but the note says so")
	}
}

func TestFiguresAreShownAtTheirLogicalSize(t *testing.T) {
	_, dir := repository(t)
	r := begin(t, nil)
	fig, err := plot.Heatmap{Size: plot.Size{Width: 300, Height: 200, Scale: 2}, Values: [][]float64{{1, 2}}}.PNG()
	must(t, err)
	must(t, r.Figure(Figure{Name: "sharp", PNG: fig}))
	must(t, r.Figure(Figure{Name: "plain", PNG: pixels(t)}))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	for _, want := range []string{`width="300" height="200"`, `width="30" height="20"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in the page", want)
		}
	}
}
