package note

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

//go:embed attention.js
var attentionScript string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"text": report.Text, "exact": report.Exact, "number": report.IsNumber, "numeric": (*report.Table).Numeric, "fold": fold, "wide": wide, "csv": tableFile, "json": indented, "long": long,
}).Parse(pageSource))

// view is what page.html shows.
type view struct {
	Style      template.CSS
	Policy     string      // Content-Security-Policy: no script, or the one of the attention view by its hash
	Script     template.JS // "" where there is no attention to look at
	Title      string
	Asked      string
	Answer     string
	Found      []string
	Facts      []fact
	Setup      string
	Method     string
	Arms       []report.Arm
	Sections   []shownSection
	Results    []report.Number
	Parameters []fact
	Provenance []fact
	Run, Check string // commands; empty where the run was no recipe's
	number     int    // of the last heading
}

// Next numbers headings: every title of a note is counted once, in order.
func (v *view) Next() int {
	v.number++
	return v.number
}

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
	v := &view{
		Style: template.CSS(pageStyle), Policy: "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
		Title: c.start.Title, Asked: c.start.Asked, Answer: c.answer, Found: c.found, Facts: facts(res), Results: res.Results,
		Setup: setup(res), Method: c.method, Arms: c.arms,
		Parameters: sorted(res.Parameters), Provenance: sorted(flat(res.Provenance)),
	}
	if r.isRecipe(res.Recipe) {
		v.Run, v.Check = rerun(res), "go run ./recipes check "+shellWord(res.Recipe)
	}
	l := r.layout(c, thrift)
	for _, s := range c.sections {
		shown, err := l.section(s)
		if err != nil {
			return nil, err
		}
		for _, p := range shown.Parts {
			if len(p.Attention) > 0 && v.Script == "" {
				v.Script = template.JS(attentionScript)
				sum := sha256.Sum256([]byte(attentionScript))
				v.Policy += "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			}
		}
		v.Sections = append(v.Sections, shown)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	return b.Bytes(), nil
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
func fold(v any) template.HTML {
	s := report.Text(v)
	if report.IsNumber(v) {
		s = report.Exact(v)
	}
	var b strings.Builder
	for {
		at := longHash.FindStringIndex(s)
		if at == nil {
			b.WriteString(template.HTMLEscapeString(s))
			return template.HTML(b.String())
		}
		b.WriteString(template.HTMLEscapeString(s[:at[0]]))
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
