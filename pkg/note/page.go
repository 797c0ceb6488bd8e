package note

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html/template"
	"image/png"
	"os"
	"path/filepath"
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
	Summary    template.HTML
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

// shownSection is a section as the page shows it.
type shownSection struct {
	Title string
	Prose template.HTML
	Parts []shownPart
}

type shownPart struct {
	Method    string
	Finding   string
	Tables    []shownTable
	Figures   []shownFigure
	Attention []shownAttention
	Samples   []report.Sample
}

type shownTable struct {
	Label string // "Table 3"
	*report.Table
	All    int  // number of rows; the page may show fewer
	Folded bool // long: shown on request, and in print
}

type shownFigure struct {
	Label string // "Figure 2"
	report.Figure
	Data          template.URL
	Width, Height int // CSS pixels
	Behind        *shownTable
}

type shownAttention struct {
	Label string
	*packed
	JSON  template.JS // the packed maps; its '<' are escaped
	Table *report.Table
	CSV   string // "" where there is none
}

// layout numbers tables and figures as it goes, for the page and for note.md alike.
type layout struct {
	run             *Run
	content         *content
	tables, figures int
	shownTables     map[string]bool // by name: what two sections share is shown where it comes first
	budget          int             // bytes that figures may still take in the page
	thrift          int             // 0 to most thrifty: what the page leaves to the files beside it
}

// foldFrom is the number of rows from which a table is folded.
const foldFrom = 40

const (
	maxPage    = 2_900_000 // bytes of note.html
	maxFigures = 1_200_000 // of its pictures; beyond it they are embedded at half their resolution, figures/ has them whole
)

// maxShown is the number of a table's rows that a page shows, by thrift; the CSV has all.
var maxShown = []int{2000, 400, 200, 100}

const mostThrifty = 3

func (r *Run) layout(c *content, thrift int) *layout {
	l := &layout{run: r, content: c, shownTables: map[string]bool{}, budget: maxFigures, thrift: thrift}
	if thrift > 0 {
		l.budget = 0
	}
	return l
}

func (l *layout) table(t *report.Table) *shownTable {
	if l.shownTables[t.Name] {
		return nil
	}
	l.shownTables[t.Name] = true
	l.tables++
	out := &shownTable{Label: fmt.Sprintf("Table %d", l.tables), Table: t, Folded: len(t.Rows) > foldFrom}
	if out.All = len(t.Rows); out.All > maxShown[l.thrift] {
		cut := *t
		cut.Rows = t.Rows[:maxShown[l.thrift]]
		out.Table = &cut
	}
	return out
}

// section lays out a section.
func (l *layout) section(s *section) (shownSection, error) {
	out := shownSection{Title: s.Title}
	for _, p := range s.Parts {
		sp := shownPart{Method: p.Method, Finding: p.Finding, Samples: p.Samples}
		if p.Method == l.content.method {
			sp.Method = "" // it stands at the top
		}
		for i := range p.Tables {
			if t := l.table(&p.Tables[i]); t != nil {
				sp.Tables = append(sp.Tables, *t)
			}
		}
		for _, f := range p.Figures {
			shown, err := l.figure(f)
			if err != nil {
				return out, err
			}
			sp.Figures = append(sp.Figures, *shown)
		}
		for _, a := range p.Attention {
			shown, err := l.attention(a.Name)
			if err != nil {
				return out, err
			}
			sp.Attention = append(sp.Attention, *shown)
		}
		if sp.Method != "" || sp.Finding != "" || len(sp.Tables)+len(sp.Figures)+len(sp.Attention)+len(sp.Samples) > 0 {
			out.Parts = append(out.Parts, sp)
		}
	}
	return out, nil
}

// figure embeds a figure at its logical size: the pixels over what the PNG's pHYs chunk says of their density.
func (l *layout) figure(f report.Figure) (*shownFigure, error) {
	path := filepath.Join(l.run.state, figureFile(f.Name))
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("note: figure %q: %w", f.Name, err)
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("note: figure %q: %s: %w", f.Name, path, err)
	}
	l.figures++
	scale := density(b)
	halvings := max(0, l.thrift-1) // of 2 device pixels a CSS pixel, then below
	if len(b) > l.budget {
		halvings = max(1, halvings)
	}
	for range halvings {
		if b, err = halved(b); err != nil {
			return nil, fmt.Errorf("note: figure %q: %s: %w", f.Name, path, err)
		}
	}
	l.budget -= len(b)
	out := &shownFigure{Label: fmt.Sprintf("Figure %d", l.figures), Figure: f, Width: int(float64(c.Width)/scale + 0.5), Height: int(float64(c.Height)/scale + 0.5),
		Data: template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b))}
	if f.Table != nil {
		out.Behind = l.table(f.Table)
	}
	return out, nil
}

func (l *layout) attention(name string) (*shownAttention, error) {
	p, err := l.run.attention(name)
	if err != nil {
		return nil, err
	}
	t, err := p.table()
	if err != nil {
		return nil, err
	}
	if l.thrift > 0 {
		if err := p.reduce(); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(p) // with '<' as \u003c
	if err != nil {
		return nil, fmt.Errorf("note: attention %q: %w", name, err)
	}
	l.figures++
	if l.thrift == mostThrifty {
		p.Data = nil
	}
	out := &shownAttention{Label: fmt.Sprintf("Figure %d", l.figures), packed: p, JSON: template.JS(b), Table: t}
	if file := tableFile("attention-" + name); l.run.has(file) {
		out.CSV = file
	}
	return out, nil
}

func (r *Run) has(file string) bool {
	_, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(file)))
	return err == nil
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
	var err error
	if c.summary != "" {
		if v.Summary, err = renderProse(c.summary); err != nil {
			return nil, err
		}
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
		if s.Prose != "" {
			if shown.Prose, err = renderProse(s.Prose); err != nil {
				return nil, err
			}
		}
		for _, p := range shown.Parts {
			if len(p.Attention) > 0 && v.Script == "" {
				v.Script = template.JS(attentionScript)
				sum := sha256.Sum256([]byte(attentionScript))
				v.Policy += "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			}
		}
		if shown.Title != "" || shown.Prose != "" || len(shown.Parts) > 0 {
			v.Sections = append(v.Sections, shown)
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	return b.Bytes(), nil
}

// density is device pixels per CSS pixel, 1 where the PNG does not say (PNG specification, 11.3.5.3).
func density(b []byte) float64 {
	i := bytes.Index(b[:min(len(b), 256)], []byte("pHYs"))
	if i < 0 || len(b) < i+13 || b[i+12] != 1 {
		return 1
	}
	perMetre := float64(binary.BigEndian.Uint32(b[i+4:]))
	if d := perMetre * 0.0254 / 96; d > 0.5 && d < 10 {
		return d
	}
	return 1
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
