package sink

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/model"
)

// Rate is a sink rate with what it depends on.
type Rate struct {
	Key     int     // key position, usually 0
	Eps     float64 // threshold of received attention
	T       int     // length of the prompts, 0 = of differing lengths
	Value   float64 // share of (layer, head, prompt) whose received attention at Key is above Eps
	Prompts int
	// PerPrompt is each prompt's share of (layer, head), to resample from.
	PerPrompt []float64
}

// SinkRate is the share of (layer, head, prompt) in which key position k receives more than eps (arXiv 2410.10781).
func (s *Survey) SinkRate(k int, eps float64) (Rate, error) {
	r := Rate{Key: k, Eps: eps, T: s.T}
	for p := range s.Lengths {
		if k < 0 || k >= s.Lengths[p] {
			return r, fmt.Errorf("sink rate of key %d: prompt %d has %d tokens", k, s.Prompts[p], s.Lengths[p])
		}
		count := 0
		for l := range s.Layers {
			for h := range s.Heads {
				if s.Received(p, l, h)[k] > float32(eps) { // in float32, where 0.1 is 0.1
					count++
				}
			}
		}
		r.PerPrompt = append(r.PerPrompt, float64(count)/float64(s.Layers*s.Heads))
	}
	r.Prompts = len(r.PerPrompt)
	r.Value = mean(r.PerPrompt)
	return r, nil
}

// FirstMass is the attention that position 0 receives, averaged over prompts and over each prompt's queries: [layers][heads].
func (s *Survey) FirstMass() [][]float64 {
	out := make([][]float64, s.Layers)
	for l := range out {
		out[l] = make([]float64, s.Heads)
		for h := range out[l] {
			for p := range s.Lengths {
				out[l][h] += float64(s.Received(p, l, h)[0])
			}
			out[l][h] /= float64(len(s.Lengths))
		}
	}
	return out
}

// FirstMassPerPrompt is the mass on position 0 averaged over layers and heads: one number per surveyed prompt, to resample from.
func (s *Survey) FirstMassPerPrompt() []float64 {
	out := make([]float64, len(s.Lengths))
	for p := range out {
		for l := range s.Layers {
			for h := range s.Heads {
				out[p] += float64(s.Received(p, l, h)[0])
			}
		}
		out[p] /= float64(s.Layers * s.Heads)
	}
	return out
}

// LayerFirstMass is FirstMass averaged over heads: [layers].
func (s *Survey) LayerFirstMass() []float64 {
	out := make([]float64, s.Layers)
	for l, heads := range s.FirstMass() {
		out[l] = mean(heads)
	}
	return out
}

// LayerRowSums is what a row of attention sums to, averaged over queries, heads and prompts: [layers]. It is 1 where nothing intervened.
func (s *Survey) LayerRowSums() []float64 {
	out := make([]float64, s.Layers)
	for l := range out {
		for p, n := range s.Lengths {
			for h := range s.Heads {
				for k, v := range s.Received(p, l, h) {
					out[l] += float64(v) * float64(n-k) / float64(n*s.Heads*len(s.Lengths))
				}
			}
		}
	}
	return out
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// SinkRates are the rates of a key over a grid of thresholds.
func (s *Survey) SinkRates(k int, eps []float64) ([]Rate, error) {
	var out []Rate
	for _, e := range eps {
		r, err := s.SinkRate(k, e)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// RateGrid is the sink rate of a key over a grid of thresholds and lengths, [lengths][eps]: each length is a survey of its own, of all prompts that reach it.
// A rate falls with both, so that a published one is compared at its own place in the grid only.
func RateGrid(m *model.Model, prompts [][]int, key int, eps []float64, lengths []int, opts Options) ([][]Rate, error) {
	opts.Measures = 0
	var out [][]Rate
	for _, t := range lengths {
		opts.T = t
		s, err := Run(m, prompts, opts)
		if err != nil {
			return nil, err
		}
		rates, err := s.SinkRates(key, eps)
		if err != nil {
			return nil, err
		}
		out = append(out, rates)
	}
	return out, nil
}
