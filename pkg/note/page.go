package note

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

//go:embed page.css
var pageStyle string

//go:embed attention.js
var attentionScript string

// fact is a name and its value.
type fact struct {
	Name  string
	Value any
}

// page renders note.html, as thriftily as its bound asks for.
func (r *Run) page(c *content) ([]byte, error) {
	for thrift := 0; ; thrift++ {
		b, err := r.render(c, thrift)
		if err != nil || len(b) <= maxPage || thrift == mostThrifty {
			return b, err
		}
	}
}

func (r *Run) render(c *content, thrift int) ([]byte, error) {
	res := c.results
	l := r.layout(c, thrift)
	var sections []shownSection
	policy, script := "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'", ""
	for _, s := range c.sections {
		shown, err := l.section(s)
		if err != nil {
			return nil, err
		}
		sections = append(sections, shown)
		for _, p := range shown.Parts {
			if len(p.Attention) > 0 && script == "" { // the one script that the page may run, by its hash
				script = attentionScript
				sum := sha256.Sum256([]byte(script))
				policy += "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			}
		}
	}
	var w writer
	w.put("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n", policy)
	w.put("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
	w.put("<title>%s</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>%s</style>\n</head>\n<body>\n", c.start.Title, raw(pageStyle))
	w.header(c)
	w.put("<main>\n")
	if c.method != "" {
		w.section("How it was measured")
		w.put("<p class=\"method\">%s</p>\n</section>\n", strings.TrimSpace(c.method+" "+setup(res)))
	}
	if len(c.arms) > 0 {
		w.arms(c.arms)
	}
	for _, s := range sections {
		w.shown(s)
	}
	w.put("\n")
	if len(res.Results) > 0 {
		w.results(res.Results)
	}
	w.put("\n")
	if r.isRecipe(res.Recipe) {
		w.section("Run it again")
		w.put("<p>In a checkout of the commit named below:</p>\n<pre class=\"command\">\n%s</pre>\n", rerun(res))
		w.put("<p>To compare every number with the committed ones, each within its own tolerance:</p>\n<pre class=\"command\">\n%s</pre>\n</section>\n", "go run ./recipes check "+shellWord(res.Recipe))
	}
	if len(res.Parameters) > 0 {
		w.facts("Parameters", sorted(res.Parameters))
	}
	w.facts("Provenance", sorted(flat(res.Provenance)))
	w.put("</main>\n")
	if script != "" {
		w.put("<script>%s</script>\n", raw(script))
	}
	w.put("</body>\n</html>\n")
	return []byte(w.String()), nil
}

// header answers first: question, answer, what else was found, and on what.
func (w *writer) header(c *content) {
	w.put("<header>\n<h1>%s</h1>\n", c.start.Title)
	w.when("<p class=\"asked\">%s</p>\n", c.start.Asked)
	w.when("<p class=\"answer\">%s</p>\n", c.answer)
	if len(c.found) > 0 {
		w.put("<ul class=\"found\">")
		for _, f := range c.found {
			w.put("\n<li>%s</li>", f)
		}
		w.put("\n</ul>\n")
	}
	w.put("<dl class=\"facts\">")
	for _, f := range facts(c.results) {
		w.put("<div><dt>%s</dt><dd>%s</dd></div>", f.Name, fold(f.Value))
	}
	w.put("</dl>\n</header>\n")
}

// facts is the short header: model, backend, date and commit.
func facts(res *Results) []fact {
	var out []fact
	add := func(name string, parts ...any) {
		var words []string
		for _, p := range parts {
			if s := strings.TrimSpace(report.Text(p)); p != nil && s != "" {
				words = append(words, s)
			}
		}
		if len(words) > 0 {
			out = append(out, fact{name, strings.Join(words, " · ")})
		}
	}
	p := res.Provenance
	add("Model", res.Parameters["model"], p["model"])
	add("Backend", p["backend"], p["device"])
	date, _ := p["finished"].(string)
	add("Date", strings.NewReplacer("T", " ", "Z", " UTC").Replace(date))
	if dirty, _ := p["dirty"].(bool); dirty {
		add("Commit", p["commit"], "with uncommitted changes")
	} else {
		add("Commit", p["commit"])
	}
	return out
}

// setup is a sentence about what ran, from the parameters that every recipe names alike.
func setup(res *Results) string {
	var words []string
	add := func(format string, value any) {
		if s := strings.TrimSpace(report.Text(value)); value != nil && s != "" {
			words = append(words, fmt.Sprintf(format, s))
		}
	}
	add("model %s", res.Parameters["model"])
	dtype := res.Provenance["dtype"]
	if dtype == nil {
		dtype = res.Parameters["dtype"]
	}
	add("computed in %s", dtype)
	add("on the backend %s", res.Provenance["backend"])
	add("items %s", res.Parameters["items"])
	if n := report.Text(res.Parameters["limit"]); n != "0" {
		add("at most %s of them", res.Parameters["limit"])
	}
	add("seed %s", res.Parameters["seed"])
	if len(words) == 0 {
		return ""
	}
	return "What ran: " + longHash.ReplaceAllStringFunc(strings.Join(words, ", "), func(h string) string { return h[:12] + "…" }) + "."
}

var longHash = regexp.MustCompile(`\b[0-9a-f]{32,128}\b`)

// fold shows a text with its long hashes folded to their first characters.
func fold(v any) raw {
	s := report.Text(v)
	if report.IsNumber(v) {
		s = report.Exact(v)
	}
	var b strings.Builder
	for {
		at := longHash.FindStringIndex(s)
		if at == nil {
			b.WriteString(escape(s))
			return raw(b.String())
		}
		b.WriteString(escape(s[:at[0]]))
		fmt.Fprintf(&b, `<details class="hash"><summary>%s…</summary><code>%s</code></details>`, s[at[0]:at[0]+12], s[at[0]:at[1]])
		s = s[at[1]:]
	}
}

// indented is JSON over several lines.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// widePage is how many characters of a table's row fit a printed page.
const widePage = 84

// wide tells tables that a printed page has no room for: they print as one block for each row.
func wide(t *report.Table) bool {
	total := 0
	for j, column := range t.Columns {
		longest := min(len([]rune(column)), 24)
		for _, row := range t.Rows {
			longest = max(longest, min(len([]rune(report.Text(row[j]))), 32))
		}
		total += longest + 3
	}
	return total > widePage
}

// long tells cells whose text takes more than one line.
func long(v any) bool { return len([]rune(report.Text(v))) > 40 }

// flat lifts nested maps (the modules) to the names inside.
func flat(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if inner, ok := v.(map[string]string); ok {
			for name, version := range inner {
				out["module "+name] = version
			}
			continue
		}
		out[k] = v
	}
	return out
}

func sorted(m map[string]any) []fact {
	out := make([]fact, 0, len(m))
	for k, v := range m {
		out = append(out, fact{k, v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// rerun is the command that runs the recipe with these parameters, one per line.
func rerun(res *Results) string {
	var b strings.Builder
	b.WriteString("go run ./recipes run " + shellWord(res.Recipe))
	for _, f := range sorted(res.Parameters) {
		value := report.Exact(f.Value)
		if value == "" {
			value = fmt.Sprint(f.Value)
		}
		b.WriteString(" \\\n    -p " + shellWord(f.Name+"="+value))
	}
	if backend, _ := res.Provenance["backend"].(string); backend != "" && backend != "go" {
		b.WriteString(" \\\n    --backend " + shellWord(backend))
	}
	return b.String()
}

// shellWord quotes a word for a POSIX shell where it needs it.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./=:,+@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
