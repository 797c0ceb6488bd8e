package sink

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// ClassShare compares a class's share of received attention with its share of tokens. Were attention blind to classes the two would
// differ only by position.
type ClassShare struct {
	Class  tokenizer.Class
	Tokens float64 // share of tokens
	// Attention is the share of all attention that keys of the class receive, over layers, heads, queries and prompts.
	Attention float64
	// PerLayer is the same within each layer: [layers].
	PerLayer []float64
	// PerPrompt is each prompt's share of attention over all layers, to resample from; prompts without the class count as 0.
	PerPrompt []float64
}

// ByClass breaks received attention down by token class. classes[i] holds the class of every token of the i-th prompt given to Run; for
// prompts that were cut to T tokens the first T are used.
func (s *Survey) ByClass(classes [][]tokenizer.Class) ([]ClassShare, error) {
	out := make([]ClassShare, len(tokenizer.Classes()))
	for c := range out {
		out[c] = ClassShare{Class: tokenizer.Class(c), PerLayer: make([]float64, s.Layers), PerPrompt: make([]float64, len(s.Lengths))}
	}
	tokens := 0.0
	perLayer := make([]float64, s.Layers)
	for p, original := range s.Prompts {
		if original >= len(classes) || len(classes[original]) < s.Lengths[p] {
			return nil, fmt.Errorf("classes of prompt %d are missing or fewer than its %d tokens", original, s.Lengths[p])
		}
		cs := classes[original][:s.Lengths[p]]
		total := 0.0
		for l := range s.Layers {
			for h := range s.Heads {
				for k, a := range s.Received(p, l, h) {
					mass := float64(a) * float64(s.Lengths[p]-k) // back from the average over queries to their sum
					out[cs[k]].PerLayer[l] += mass
					out[cs[k]].PerPrompt[p] += mass
					perLayer[l] += mass
					total += mass
				}
			}
		}
		for c := range out {
			out[c].PerPrompt[p] /= total
		}
		for _, c := range cs {
			out[c].Tokens++
			tokens++
		}
	}
	all := mean(perLayer) * float64(s.Layers)
	for c := range out {
		for l := range s.Layers {
			out[c].Attention += out[c].PerLayer[l] / all
			out[c].PerLayer[l] /= perLayer[l]
		}
		out[c].Tokens /= tokens
	}
	return out, nil
}
