package sink

import "github.com/attune-lab/attune/pkg/stats"

// PerHead is one number for each prompt, layer and head.
type PerHead struct {
	Layers, Heads int
	Values        [][]float64 // [prompt][layer*Heads + head]
}

// At is the value of a prompt's head.
func (v *PerHead) At(prompt, layer, head int) float64 { return v.Values[prompt][layer*v.Heads+head] }

// ByHead is the mean over prompts: [layers][heads].
func (v *PerHead) ByHead() [][]float64 {
	out := make([][]float64, v.Layers)
	for l := range out {
		out[l] = make([]float64, v.Heads)
		for h := range out[l] {
			for p := range v.Values {
				out[l][h] += v.At(p, l, h) / float64(len(v.Values))
			}
		}
	}
	return out
}

// Layer is each prompt's mean over the heads of a layer: [prompts], to resample from.
func (v *PerHead) Layer(l int) []float64 {
	out := make([]float64, len(v.Values))
	for p := range out {
		for h := range v.Heads {
			out[p] += v.At(p, l, h) / float64(v.Heads)
		}
	}
	return out
}

// ByLayer is the mean over prompts and heads, [layers], with its 95 % bootstrap interval over prompts.
func (v *PerHead) ByLayer(seed uint64) (means []float64, ci95 []stats.Interval) {
	for l := range v.Layers {
		values := v.Layer(l)
		means, ci95 = append(means, mean(values)), append(ci95, stats.MeanInterval(values, seed))
	}
	return means, ci95
}

// PerPrompt is each prompt's mean over layers and heads: [prompts], to resample from.
func (v *PerHead) PerPrompt() []float64 {
	out := make([]float64, len(v.Values))
	for p := range out {
		out[p] = mean(v.Values[p])
	}
	return out
}

// perHead reads a stored [layers, heads] statistic.
func (s *Survey) perHead(name string) *PerHead {
	return s.derive(func(p, l, h int) float64 { return s.head(name, p, l, h) })
}

func (s *Survey) head(name string, p, l, h int) float64 {
	return float64(s.data[name][p][l*s.Heads+h])
}

func (s *Survey) derive(f func(prompt, layer, head int) float64) *PerHead {
	out := &PerHead{Layers: s.Layers, Heads: s.Heads, Values: make([][]float64, len(s.Lengths))}
	for p := range out.Values {
		for l := range s.Layers {
			for h := range s.Heads {
				out.Values[p] = append(out.Values[p], f(p, l, h))
			}
		}
	}
	return out
}
