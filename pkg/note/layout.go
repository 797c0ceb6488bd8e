package note

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"golang.org/x/image/draw"

	"github.com/attune-lab/attune/pkg/report"
)

// shownSection is a section as the page shows it.
type shownSection struct {
	Title string
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
	Data          string // a data: URL
	Width, Height int    // CSS pixels
	Behind        *shownTable
}

type shownAttention struct {
	Label string
	*packed
	JSON  raw // the packed maps; its '<' are escaped
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
		Data: "data:image/png;base64," + base64.StdEncoding.EncodeToString(b)}
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
	out := &shownAttention{Label: fmt.Sprintf("Figure %d", l.figures), packed: p, JSON: raw(b), Table: t}
	if file := tableFile("attention-" + name); l.run.has(file) {
		out.CSV = file
	}
	return out, nil
}

func (r *Run) has(file string) bool {
	_, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(file)))
	return err == nil
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

// halved is a picture at half its resolution.
func halved(b []byte) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	r := from.Bounds()
	to := image.NewNRGBA(image.Rect(0, 0, (r.Dx()+1)/2, (r.Dy()+1)/2))
	draw.BiLinear.Scale(to, to.Bounds(), from, r, draw.Src, nil)
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to)
	return out.Bytes(), err
}
