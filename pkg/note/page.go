package note

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"html/template"
	"image/png"
	"os"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"text": report.Text, "exact": report.Exact, "number": report.IsNumber, "numeric": (*Table).Numeric,
}).Parse(pageSource))

// view is what page.html shows.
type view struct {
	Style      template.CSS
	Title      string
	Asked      string
	Facts      []fact
	Summary    template.HTML
	Results    []Result
	Sections   []section
	Parameters []fact
	Provenance []fact
	Run, Check string // commands; empty where the run was no recipe's
}

// fact is a name and its value.
type fact struct {
	Name  string
	Value any
}

// section is one part of the narrative; exactly one field is set.
type section struct {
	Prose  template.HTML
	Table  *Table
	Figure *shownFigure
	Sample *sample
}

type shownFigure struct {
	figure
	Data          template.URL
	Width, Height int // CSS pixels
}

// page renders note.html.
func (r *Run) page(s *start, res *Results, parts []part) ([]byte, error) {
	v := view{
		Style: template.CSS(pageStyle), Title: s.Title, Asked: s.Asked, Facts: facts(res), Results: res.Results,
		Parameters: sorted(res.Parameters), Provenance: sorted(flat(res.Provenance)),
	}
	if r.isRecipe(res.Recipe) {
		v.Run, v.Check = rerun(res), "go run ./recipes check "+shellWord(res.Recipe)
	}
	for _, p := range parts {
		var sec section
		var err error
		switch {
		case p.Summary != nil:
			if v.Summary, err = renderProse(*p.Summary); err != nil {
				return nil, err
			}
			continue
		case p.Prose != nil:
			sec.Prose, err = renderProse(*p.Prose)
		case p.Table != nil:
			sec.Table = p.Table
		case p.Figure != nil:
			sec.Figure, err = r.show(*p.Figure)
		case p.Sample != nil:
			sec.Sample = p.Sample
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		v.Sections = append(v.Sections, sec)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	return b.Bytes(), nil
}

// show embeds a figure at its logical size: the pixels over what the PNG's pHYs chunk says of their density.
func (r *Run) show(f figure) (*shownFigure, error) {
	b, err := os.ReadFile(r.figureFile(f.Name))
	if err != nil {
		return nil, fmt.Errorf("note: figure %q: %w", f.Name, err)
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("note: figure %q: %s: %w", f.Name, r.figureFile(f.Name), err)
	}
	scale := density(b)
	return &shownFigure{figure: f, Width: int(float64(c.Width)/scale + 0.5), Height: int(float64(c.Height)/scale + 0.5),
		Data: template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b))}, nil
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
	model := p["model"]
	if s, ok := model.(string); ok {
		model = brief(s)
	}
	add("Model", res.Parameters["model"], model)
	add("Backend", p["backend"], p["device"])
	date, _ := p["finished"].(string)
	add("Date", strings.NewReplacer("T", " ", "Z", " UTC").Replace(date))
	hash, _ := p["commit"].(string)
	if dirty, _ := p["dirty"].(bool); dirty {
		add("Commit", brief(hash), "with uncommitted changes")
	} else {
		add("Commit", brief(hash))
	}
	return out
}

// brief shortens a hash to what identifies it at a glance; the provenance table has all of it.
func brief(s string) string {
	if len(s) > 24 && !strings.ContainsAny(s, " /") {
		prefix := ""
		if i := strings.Index(s, ":"); i >= 0 && i < 10 {
			prefix, s = s[:i+1], s[i+1:]
		}
		return prefix + s[:min(12, len(s))]
	}
	return s
}

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
