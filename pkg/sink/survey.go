package sink

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/store"
)

// DefaultT is the length at which sink rates are usually quoted (arXiv 2410.10781).
const DefaultT = 64

// DefaultEps is the threshold at which sink rates are usually quoted (arXiv 2410.10781).
const DefaultEps = 0.3

// Options of Run. The zero value surveys received attention of whole prompts, without an intervention.
type Options struct {
	Measures   Measures         // beside received attention, which is always measured
	T          int              // cut prompts to T tokens and leave shorter ones out; 0 = whole prompts
	Tau        float64          // threshold of Masks; 0 = 0.01, the emulation layer's
	Window     int              // tokens of the local window of Rows, the query's own included; 0 = 16
	Late       int              // LateFirstShare looks at queries from this position on; 0 = 32
	Cells      int              // resolution of Shapes: maps are binned to at most Cells x Cells; 0 = 64
	BlockRows  int              // reduce plain layers by blocks of about so many tokens; 0 = 256 where a fused kernel computes them, else whole
	Experiment model.Experiment // intervention whose attention is measured; nil = none
	Progress   func(int)        // called with the number of prompts just surveyed, from one goroutine at a time; may be nil

	// Of Kept alone.
	Part  store.Part // survey these prompts only, and store what was observed of them
	Known bool       // compute nothing: a survey that is not in the store, whole or in parts, is an error
}

// Survey holds what prompts' attention was reduced to.
type Survey struct {
	ModelType              string
	ModelHash              string // of the weights, see model.Model
	Layers, Heads, KVHeads int
	Measures               Measures
	T                      int     // the length asked for, 0 = whole prompts
	Tau                    float64 // threshold of Masks
	Window                 int     // tokens of the local window
	Late                   int     // first query of LateFirstShare
	Group                  int     // tokens in one cell of a map
	Lengths                []int   // tokens of each surveyed prompt
	Prompts                []int   // index of each surveyed prompt in the list given to Run
	Skipped                int     // prompts shorter than T
	Tokens                 [][]int // ids of each surveyed prompt
	Plan                   []string

	pieces map[int]string         // text of the tokens that occur, where the model has a tokenizer
	data   map[string][][]float32 // statistic -> prompt -> [layers, ...]
	cells  [][][]float64          // [layers][group of queries][group of keys], sums over prompts
	seen   []int                  // prompts that reach each group
}

// Run is RunOn with a runner of its own.
func Run(m *model.Model, prompts [][]int, opts Options) (*Survey, error) {
	return RunOn(context.Background(), engine.New(m, engine.Options{}), prompts, opts)
}

// RunOn surveys the prompts, lists of token ids, in one pass for all measures.
func RunOn(ctx context.Context, r *engine.Runner, prompts [][]int, opts Options) (*Survey, error) {
	s, err := start(r.Model(), prompts, &opts)
	if err != nil {
		return nil, err
	}
	order := s.order()
	at := make([]int, len(s.Tokens)) // place of each prompt in the order
	for k, i := range order {
		at[i] = k
	}
	// Passes end in no order. Sums are taken in that of the prompts, whichever pass ends first, so that they are the same each time.
	waiting, next := make([]*observed, len(order)), 0
	s.Plan, err = s.observe(ctx, r, order, opts, func(prompt int, o *observed) {
		waiting[at[prompt]] = o
		for ; next < len(order) && waiting[next] != nil; next++ {
			s.take(order[next], waiting[next], r.Model().Config.HiddenSize)
			waiting[next] = nil
		}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// order of the surveyed prompts: the longest first, as passes take them.
func (s *Survey) order() []int {
	order := make([]int, len(s.Tokens))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.Lengths[b], s.Lengths[a]) })
	return order
}

// observe runs some of the surveyed prompts and gives what was observed of each, in no order.
func (s *Survey) observe(ctx context.Context, r *engine.Runner, which []int, opts Options, each func(prompt int, o *observed)) (plan []string, err error) {
	obs := observer{measures: s.Measures, tau: s.Tau, window: s.Window, late: s.Late, group: s.Group, blockRows: opts.BlockRows,
		padded: slices.Min(s.Lengths) != slices.Max(s.Lengths)}
	exp := attention.Sequence(opts.Experiment, obs)
	qs := make([]engine.Sequence, len(which))
	for k, i := range which {
		qs[k].Tokens = s.Tokens[i]
	}
	err = r.Stream(ctx, s.Lengths, qs, exp, func(b engine.Batch) (func(model.Observation) error, func(*model.Result) error) {
		g := &gathering{layers: s.Layers, rows: b.Rows, names: s.measured(), values: map[string]*gathered{}}
		for _, k := range b.At {
			g.lengths = append(g.lengths, s.Lengths[which[k]])
		}
		return g.receive, func(got *model.Result) error {
			prompts, err := g.prompts()
			if err != nil {
				return err
			}
			for row, k := range b.At {
				each(which[k], prompts[row])
			}
			plan = got.Plan
			if opts.Progress != nil {
				opts.Progress(len(b.At))
			}
			return nil
		}
	})
	if err != nil {
		return nil, fmt.Errorf("survey: %w", err)
	}
	return plan, nil
}

// start checks the options, fills in their defaults and cuts the prompts.
func start(m *model.Model, prompts [][]int, opts *Options) (*Survey, error) {
	setDefault(&opts.Window, 16)
	setDefault(&opts.Late, 32)
	setDefault(&opts.Cells, defaultCells)
	if opts.Tau == 0 {
		opts.Tau = 0.01
	}
	if err := checkTau(opts.Tau); err != nil {
		return nil, err
	}
	if opts.T < 0 || opts.T > m.Config.MaxPositions {
		return nil, fmt.Errorf("survey at T = %d: expected 1 to the model's %d positions, or 0 for whole prompts", opts.T, m.Config.MaxPositions)
	}
	s := &Survey{ModelType: m.Config.ModelType, ModelHash: m.Hash, Layers: m.Config.Layers, Heads: m.Config.Heads, KVHeads: m.Config.KVHeads,
		Measures: opts.Measures & Everything, T: opts.T, Tau: opts.Tau, Window: opts.Window, Late: opts.Late, Group: 1,
		pieces: map[int]string{}, data: map[string][][]float32{}, cells: make([][][]float64, m.Config.Layers)}
	for i, p := range prompts {
		switch {
		case opts.T == 0:
		case len(p) < opts.T:
			s.Skipped++
			continue
		default:
			p = p[:opts.T]
		}
		s.Prompts, s.Tokens, s.Lengths = append(s.Prompts, i), append(s.Tokens, p), append(s.Lengths, len(p))
	}
	if len(s.Tokens) == 0 {
		return nil, fmt.Errorf("survey: none of the %d prompts has %d tokens or more", len(prompts), max(opts.T, 1))
	}
	if s.Measures.Has(Shapes) {
		s.Group = (slices.Max(s.Lengths) + opts.Cells - 1) / opts.Cells
		if s.Group > 32 { // of long prompts whole tiles of the kernel
			s.Group = (s.Group + kernel.CellTokens - 1) / kernel.CellTokens * kernel.CellTokens
		}
	}
	if m.Tokenizer != nil {
		for _, p := range s.Tokens {
			for _, id := range p {
				if _, ok := s.pieces[id]; !ok {
					s.pieces[id] = m.Tokenizer.DecodeWithSpecial([]int{id})
				}
			}
		}
	}
	for _, name := range s.stored() {
		s.data[name] = make([][]float32, len(s.Tokens))
	}
	return s, nil
}

func setDefault(v *int, value int) {
	if *v <= 0 {
		*v = value
	}
}

// take stores what was observed of a prompt and adds it to the sums over prompts.
func (s *Survey) take(prompt int, o *observed, hidden int) {
	for name, values := range o.values {
		switch name {
		case nameCells:
			s.data[nameSimilarity][prompt] = s.addShapes(values, o.width, s.Lengths[prompt])
		case nameSample:
			s.data[nameMedian][prompt] = s.medians(values, s.Lengths[prompt], hidden)
		default:
			s.data[name][prompt] = values
		}
	}
}

// perToken names the statistics whose last axis is the tokens.
var perToken = map[string]bool{nameReceived: true, nameKeyNorm: true, nameValueNorm: true, nameResidualNorm: true, nameTop: true, nameTopChannel: true}

// measured lists what the graph emits for the survey's measures.
func (s *Survey) measured() []string {
	names := []string{nameReceived}
	for _, set := range []struct {
		m     Measures
		names []string
	}{
		{Rows, rowNames}, {Masks, []string{nameMarked, nameShared}}, {Shapes, []string{nameCells}},
		{Norms, []string{nameKeyNorm, nameValueNorm, nameResidualNorm}}, {Massive, []string{nameTop, nameTopChannel, nameSample}},
	} {
		if s.Measures.Has(set.m) {
			names = append(names, set.names...)
		}
	}
	return names
}

// Pieces are the texts of a surveyed prompt's tokens, empty where the model had no tokenizer.
func (s *Survey) Pieces(prompt int) []string {
	out := make([]string, len(s.Tokens[prompt]))
	for i, id := range s.Tokens[prompt] {
		out[i] = s.pieces[id]
	}
	return out
}
