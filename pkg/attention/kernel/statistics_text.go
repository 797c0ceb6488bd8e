package kernel

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
	"text/template"

	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/triton"
)

//go:embed statistics.mlir
var statisticsIR string

var statisticsText = template.Must(template.New("statistics.mlir").Parse(statisticsIR))

// statistics is what statistics.mlir is filled in with.
type statistics struct {
	Type                      string
	Keys, Queries             int // of a program, of a tile
	warps, stages             int
	Tokens, Heads, Group, Dim int
	Form, SourceForm          Form
	Rows, Cells               bool
	HasSinks, Sourced         bool
	Local                     int
	Tau                       float64
	Near                      bool // of a tile: the causal mask cuts it
	Whole                     bool // of a tile: all its queries are there
	onlyMarks, noMarks        bool // of a tile: what is added up there
}

// cut says how the work is cut: the fastest of those tried on an H200 at 4,096 tokens, of 64 to 256 keys, 64 and 128 queries, 4 and 8 warps and 2 to 4 stages, and what
// fits above dimension 128. docs/bench-log.md has the others.
func (f *statistics) cut() {
	f.Keys, f.Queries, f.warps, f.stages = CellTokens, CellTokens, 4, 3
	if f.Dim > 128 {
		f.stages = 2
	}
}

func (f statistics) text() string {
	var b strings.Builder
	if err := statisticsText.Execute(&b, f); err != nil {
		exceptions.Panicf("statistics.mlir: %v", err)
	}
	return b.String()
}

func (f statistics) AsNear() statistics { f.Near, f.Whole, f.noMarks = true, !f.Tail(), true; return f }
func (f statistics) AsNearMarks() statistics {
	f = f.AsNear()
	f.noMarks, f.onlyMarks = false, true
	return f
}
func (f statistics) AsFar() statistics  { f.Whole = true; return f }
func (f statistics) AsTail() statistics { return f }

// Tail reports whether the last tile is not whole.
func (f statistics) Tail() bool { return f.Tokens%f.Queries != 0 }

// LastLoop is the loop whose results are the sums.
func (f statistics) LastLoop() string {
	if f.Tail() {
		return "tail"
	}
	return "far"
}

// Strips of 16 queries, and KeyStrips of 8 keys, are what a warp's tensor core products are made of: of each pair of a strip's halves a thread has the same place.
func (f statistics) Strips() int    { return f.Queries / 16 }
func (f statistics) KeyStrips() int { return f.Keys / 8 }

// Threads is how many parts a statistic of a tile has before its sum over the program.
func (f statistics) Threads() int { return f.Strips() * 32 }

// rowValue is a number of each of a tile's queries.
type rowValue struct {
	Name, Behind string
	Whole        bool
}

// RowValue is one that the kernel reads: by name, log-sum-exps or shares.
func (f statistics) RowValue(name string) rowValue {
	if name == "share" {
		return rowValue{name, "noShare", f.Whole}
	}
	return rowValue{name, "huge", f.Whole}
}

func (f statistics) Log2e() string { return triton.Constant(math.Log2E) }

func (f statistics) WholeTokens() int { return f.Tokens / f.Queries * f.Queries }

// Sums are the names of what is added up.
func (f statistics) Sums() (names []string) {
	if f.Columns() {
		names = append(names, "columns")
	}
	if f.Columns() && f.Rows {
		names = append(names, "entropy", "local")
	}
	if f.Columns() && f.HasSinks {
		names = append(names, "distances")
	}
	if f.Marks() {
		names = append(names, "marked")
	}
	if f.Marks() && f.Sourced {
		names = append(names, "shared")
	}
	return names
}

// Columns reports whether more than marks are added up.
func (f statistics) Columns() bool { return !f.onlyMarks }

// from are a loop's sums as they begin.
func (f statistics) from(start func(i int, name string) string) string {
	var list []string
	for i, name := range f.Sums() {
		list = append(list, fmt.Sprintf("%%%sBefore = %%%s", name, start(i, name)))
	}
	return strings.Join(list, ", ")
}

func (f statistics) FromNothing() string {
	return f.from(func(_ int, name string) string {
		if name == "columns" {
			return "noColumns"
		}
		return "nothing"
	})
}

func (f statistics) FromNear() string {
	others := f.AsNear().NumSums()
	return f.from(func(i int, _ string) string {
		if i < others {
			return fmt.Sprintf("near#%d", i)
		}
		return fmt.Sprintf("nearMarks#%d", i-others)
	})
}

func (f statistics) FromFar() string {
	return f.from(func(i int, _ string) string { return fmt.Sprintf("far#%d", i) })
}

func (f statistics) NumSums() int { return len(f.Sums()) }
func (f statistics) SumTypes() string {
	types := strings.Repeat(", !part", f.NumSums())[2:]
	if f.Columns() {
		types = "!folded" + types[len("!part"):]
	}
	return types
}

// Yields are the sums behind a tile.
func (f statistics) Yields() string {
	var names []string
	for _, name := range f.Sums() {
		if name == "local" && !f.Near {
			name += "Before"
		}
		names = append(names, "%"+name)
	}
	return strings.Join(names, ", ")
}

func (f statistics) Marks() bool     { return f.Tau > 0 && !f.noMarks }
func (f statistics) HasWindow() bool { return f.Form.Window > 0 && f.Form.Window < f.Tokens }
func (f statistics) SourceHasWindow() bool {
	return f.Sourced && f.SourceForm.Window > 0 && f.SourceForm.Window < f.Tokens
}

// Masked reports whether a tile that the causal mask does not cut needs distances.
func (f statistics) Masked() bool { return f.HasWindow() || f.SourceHasWindow() || f.HasSinks }

// Logs are the logarithms of a tile's probabilities.
func (f statistics) Logs() string {
	if f.Near || f.HasWindow() {
		return "%logs"
	}
	return "%log"
}

// Marked are a tile's entries above tau, off the diagonal.
func (f statistics) Marked() string {
	if f.Near {
		return "%marks"
	}
	return "%passes"
}

// scorer is a layer whose scores a tile forms, and what its values' names end in.
type scorer struct {
	Form Form
	Of   string
}

func (f statistics) Layer() scorer  { return scorer{f.Form, ""} }
func (f statistics) Source() scorer { return scorer{f.SourceForm, "0"} }

func (f statistics) up(tokens int) int { return (tokens + f.Queries - 1) / f.Queries * f.Queries }

func (f statistics) PaddedTokens() int { return f.up(f.Tokens) }
func (f statistics) QueryTiles() int   { return f.PaddedTokens() / f.Queries }
func (f statistics) Last() int         { return f.Tokens - 1 }
func (f statistics) QueryStride() int  { return f.Heads * f.Dim }
func (f statistics) KeyStride() int    { return f.Heads / f.Group * f.Dim }
func (f statistics) QueryBatch() int   { return f.Tokens * f.QueryStride() }
func (f statistics) KeyBatch() int     { return f.Tokens * f.KeyStride() }
func (f statistics) LogTau() string    { return triton.Constant(math.Log2(f.Tau)) }

// NearKeys is how far behind a program's first key the last query is that the causal mask or the local window cuts.
func (f statistics) NearKeys() int {
	if f.Rows {
		return f.up(f.Keys + f.Local - 1)
	}
	return f.up(f.Keys)
}

// OneNear reports whether that is one tile, which is there whatever the program.
func (f statistics) OneNear() bool { return f.NearKeys() == f.Queries && f.Keys <= f.Queries }

// FarKeys is how far behind a program's first key the last query is that sees one of its keys.
func (f statistics) FarKeys() int { return f.up(f.Keys + f.Form.Window - 1) }

// Factor is what products are multiplied by, see fill.Factor.
func (f Form) Factor() string {
	return fill{Kind: Kind{HasSoftcap: f.Softcap > 0}, Scale: f.Scale, Softcap: f.Softcap}.Factor()
}

// Cap is the cap in units of log2.
func (f Form) Cap() string { return fill{Softcap: f.Softcap}.Cap() }
