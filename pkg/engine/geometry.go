package engine

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/model"
)

// Geometry says how sequences share graphs. Width and rows follow from a sequence's own length, so that a result does not depend on what else is asked.
type Geometry struct {
	Budget    int // tokens of a pass, dummies included
	Step      int // widths are its multiples; 0 = the ladder
	Smallest  int // first width of the ladder
	MaxRows   int // rows of a pass at most; 0 = what the budget holds
	Positions int // of the model: no width is larger
	// Trees says that sequences which begin alike share a row, where the model and the experiment allow it: not on GPUs, whose attention kernels read one causal sequence
	// a row.
	Trees  bool
	Packed int // tokens of the passes that score, but for attention, whose rows they are one behind the other; 0 = rows are computed whole
}

// Defaults by backend: a pass on a GPU is worth its launch from some thousand tokens on; processors gain little beyond a few rows, whose dummies cost them.
const (
	budgetCUDA      = 16384
	budgetProcessor = 2048
	smallestCUDA    = 64
	smallestCPU     = 16
	rowsCPU         = 4
	packedCPU       = 512
	stepGo          = 16
)

// GeometryFor is how sequences share graphs on a backend; a budget of 0 is the backend's own.
//
// On the Go backend a graph costs next to nothing, so widths are multiples of 16, and a pass takes one sequence: its matrix products take other loops for other
// numbers of rows, and sums of another order would make a score depend on its batch in the last digits. Several passes run side by side instead.
func GeometryFor(b compute.Backend, positions, budget int) Geometry {
	switch {
	case backend.IsCUDA(b):
		return GeometryNamed("xla:cuda", positions, budget)
	case backend.IsXLA(b):
		return GeometryNamed("xla:cpu", positions, budget)
	}
	return GeometryNamed(env.GoBackend, positions, budget)
}

// GeometryNamed is GeometryFor of a backend that need not be open, by the name that ATTUNE_BACKEND has.
func GeometryNamed(name string, positions, budget int) Geometry {
	g := Geometry{Budget: budget, Positions: positions, Trees: true}
	if budget <= 0 {
		g.Budget = budgetProcessor
	}
	switch {
	case strings.HasPrefix(name, "xla:cuda"):
		g.Smallest, g.Trees = smallestCUDA, false
		if budget <= 0 {
			g.Budget = budgetCUDA
		}
	case strings.HasPrefix(name, "xla:"):
		g.Smallest, g.MaxRows, g.Packed = smallestCPU, rowsCPU, packedCPU
	default:
		g.Step, g.MaxRows = stepGo, 1
	}
	return g
}

// inFlight is how many passes run at once: two hide the host's work behind the device's; the Go backend computes much of a pass on one core.
func inFlight(m *model.Model) int {
	switch {
	case m.Placed() > 0: // each device computes for another pass, and one more waits for the first
		return m.Placed() + 1
	case backend.IsXLA(m.Backend):
		return 2
	}
	const most = 8
	return min(runtime.GOMAXPROCS(0), most)
}

// Width is what a sequence of so many tokens is padded to: the next step, or the next of the ladder s, 1.5 s, 2 s, 3 s, 4 s, 6 s, ..., and no more than the
// model's positions.
func (g Geometry) Width(tokens int) int {
	if g.Positions > 0 && tokens >= g.Positions {
		return tokens
	}
	width := (tokens + max(g.Step, 1) - 1) / max(g.Step, 1) * max(g.Step, 1)
	if g.Step == 0 {
		for width = max(g.Smallest, 2); width < tokens; width *= 2 {
			if between := width / 2 * 3; between >= tokens {
				width = between
				break
			}
		}
	}
	if g.Positions > 0 {
		width = min(width, g.Positions)
	}
	return width
}

// Rows of a pass of a width: the largest power of two within budget and limit, at least 1.
func (g Geometry) Rows(width int) int {
	rows := 1
	for 2*rows*width <= g.Budget && (g.MaxRows == 0 || 2*rows <= g.MaxRows) {
		rows *= 2
	}
	return rows
}

// String is the geometry's part of what numbers depend on.
func (g Geometry) String() string {
	s := fmt.Sprint(g.Budget)
	if g.Step > 0 {
		s += fmt.Sprintf(" step %d", g.Step)
	} else {
		s += fmt.Sprintf(" from %d", g.Smallest)
	}
	if g.MaxRows > 0 {
		s += fmt.Sprintf(" rows %d", g.MaxRows)
	}
	if g.Packed > 0 {
		s += fmt.Sprintf(" packed %d", g.Packed)
	}
	return s
}

// Batch is a pass: At are the sequences' places in the list that was given, one a row; rows beyond them are dummies.
type Batch struct {
	Width, Rows int
	At          []int
	targets     int  // places for targets in each row, 0 = none are asked for
	trees       bool // rows hold trees
	packed      int  // tokens that all but attention is computed on; 0 = the rows
}

// Batches cuts sequences of these lengths into passes, longest first.
func (g Geometry) Batches(lengths []int) []Batch { return g.batches(lengths, nil) }

// Scoring is Batches of the passes that score, where the model and the experiment allow all that the geometry does.
func (g Geometry) Scoring(lengths []int) []Batch {
	if g.Packed > 0 {
		return g.packed(lengths)
	}
	return g.batches(lengths, nil)
}

// Tokens is how many tokens a pass computes, padding and dummies included.
func (b Batch) Tokens() int {
	if b.packed > 0 {
		return b.packed
	}
	return b.Width * b.Rows
}

// batches cuts sequences that share width and places for targets into passes, longest first. A nil list of targets asks for none.
func (g Geometry) batches(lengths, targets []int) []Batch {
	order := make([]int, len(lengths))
	shapes := make([]Batch, len(lengths))
	for i, n := range lengths {
		order[i], shapes[i] = i, Batch{Width: g.Width(n)}
		shapes[i].Rows = g.Rows(shapes[i].Width)
		if targets != nil {
			shapes[i].targets = places(targets[i])
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(shapes[b].Width, shapes[a].Width), cmp.Compare(shapes[b].targets, shapes[a].targets), cmp.Compare(lengths[b], lengths[a]))
	})
	var all []Batch
	for _, i := range order {
		last := len(all) - 1
		if last < 0 || all[last].Width != shapes[i].Width || all[last].targets != shapes[i].targets || len(all[last].At) == all[last].Rows {
			all = append(all, shapes[i])
			last++
		}
		all[last].At = append(all[last].At, i)
	}
	return all
}

// places rounds a number of targets up to 4, 16, 64, ..., so that few graphs serve continuations of many lengths.
func places(targets int) int {
	n := 4
	for n < targets {
		n *= 4
	}
	return n
}
