package sink

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/model"
)

// DefaultT is the length at which sink rates are usually quoted (arXiv 2410.10781).
const DefaultT = 64

// DefaultEps is the threshold at which sink rates are usually quoted (arXiv 2410.10781).
const DefaultEps = 0.3

// Options of Run. The zero value surveys whole prompts, 8 at a time, without an intervention.
type Options struct {
	T          int               // cut prompts to T tokens and leave shorter ones out; 0 = whole prompts
	BatchSize  int               // prompts per forward pass; 0 = 8
	Experiment model.Experiment  // intervention whose attention is measured; nil = none
	Progress   func(prompts int) // called with the number of prompts just surveyed; may be nil
}

// Survey holds what prompts' attention was reduced to.
type Survey struct {
	Layers, Heads int
	T             int   // the length asked for, 0 = whole prompts
	Lengths       []int // tokens of each surveyed prompt
	Prompts       []int // index of each surveyed prompt in the list given to Run
	Skipped       int   // prompts shorter than T
	Plan          []string

	received [][]float32 // [prompt][layer*Heads*length + head*length + key]
}

// Run surveys the prompts, lists of token ids.
func Run(m *model.Model, prompts [][]int, opts Options) (*Survey, error) {
	if opts.BatchSize <= 0 {
		opts.BatchSize = 8
	}
	if opts.T < 0 || opts.T > m.Config.MaxPositions {
		return nil, fmt.Errorf("survey at T = %d: expected 1 to the model's %d positions, or 0 for whole prompts", opts.T, m.Config.MaxPositions)
	}
	s := &Survey{Layers: m.Config.Layers, Heads: m.Config.Heads, T: opts.T}
	var kept [][]int
	for i, p := range prompts {
		switch {
		case opts.T == 0:
		case len(p) < opts.T:
			s.Skipped++
			continue
		default:
			p = p[:opts.T]
		}
		kept, s.Prompts = append(kept, p), append(s.Prompts, i)
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("survey: none of the %d prompts has %d tokens or more", len(prompts), max(opts.T, 1))
	}
	exp := model.Sequence(opts.Experiment, receivedObserver{})
	for start := 0; start < len(kept); start += opts.BatchSize {
		part := kept[start:min(start+opts.BatchSize, len(kept))]
		r, err := m.Forward(model.Batch{Tokens: part}, model.Want{}, exp)
		if err != nil {
			return nil, fmt.Errorf("survey of prompts %d to %d: %w", start, start+len(part)-1, err)
		}
		s.add(part, r.Emitted[receivedName])
		s.Plan = r.Plan
		if opts.Progress != nil {
			opts.Progress(len(part))
		}
	}
	return s, nil
}

// add stores a batch's received attention, [layers, batch, heads, tokens], without the padding.
func (s *Survey) add(prompts [][]int, t *tensors.Tensor) {
	width := t.Shape().Dimensions[3]
	tensors.MustConstFlatData(t, func(flat []float32) {
		for b, p := range prompts {
			n := len(p)
			rows := make([]float32, 0, s.Layers*s.Heads*n)
			for l := range s.Layers {
				for h := range s.Heads {
					at := ((l*len(prompts)+b)*s.Heads + h) * width
					rows = append(rows, flat[at:at+n]...)
				}
			}
			s.received = append(s.received, rows)
			s.Lengths = append(s.Lengths, n)
		}
	})
}

// Received is the attention each key of a surveyed prompt receives in one head, averaged over the queries that can see it:
// [keys]. The slice is the survey's own.
func (s *Survey) Received(prompt, layer, head int) []float32 {
	n := s.Lengths[prompt]
	at := (layer*s.Heads + head) * n
	return s.received[prompt][at : at+n]
}

const receivedName = "sink.received"

// receivedObserver emits received attention of every layer: float32 [layers, batch, heads, tokens].
type receivedObserver struct{}

func (receivedObserver) Key() string { return "observe received attention" }

func (receivedObserver) Attach(run *model.Run) func(*model.Site) {
	var layers []*Node
	return func(site *model.Site) {
		layers = append(layers, received(site))
		if site.Layer == site.Layers-1 {
			run.Emit(receivedName, Stack(layers, 0))
		}
	}
}

// received averages each key's column over the real queries from its own position on: float32 [batch, heads, keys].
func received(site *model.Site) *Node {
	run := site.Run()
	probs := site.Probs()
	valid := ConvertDType(InsertAxes(run.QueryValid, 1, -1), dtypes.Float32) // [batch, 1, queries, 1]
	sums := ReduceSum(Mul(probs, valid), 2)
	seen := ConvertDType(Sub(InsertAxes(run.Lengths, -1), site.KeyPos), dtypes.Float32) // [batch, keys]: queries that can see the key
	return Div(sums, InsertAxes(MaxScalar(seen, 1.0), 1))
}
