package sink

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

const (
	nameKeyNorm      = "key-norm"
	nameValueNorm    = "value-norm"
	nameResidualNorm = "residual-norm"
)

// norm is the Euclidean length of the vectors of the last axis, in float32.
func norm(x *Node) *Node { return Sqrt(ReduceSum(Square(ConvertDType(x, dtypes.Float32)), -1)) }

// residual sees the residual stream behind a layer, [batch, tokens, hidden].
func (c *collector) residual(x *Node) {
	if c.measures.Has(Norms) {
		c.put(nameResidualNorm, norm(x))
	}
	if c.measures.Has(Massive) {
		c.massive(x)
	}
}

// NormRatio compares a position's vectors with those of the other tokens: in each layer its length over the mean length of all others, averaged
// over prompts. A sink has small values and, where it sits on a massive activation, a long residual (arXiv 2410.10781, section 3).
type NormRatio struct {
	Key, Value []float64 // [layers], averaged over key heads
	Residual   []float64 // [layers], behind each layer
	// The same for each prompt, [layers][prompts], to resample from.
	KeyPerPrompt, ValuePerPrompt, ResidualPerPrompt [][]float64
}

// NormsAt gives the ratios of a position, usually 0.
func (s *Survey) NormsAt(position int) (NormRatio, error) {
	var r NormRatio
	if err := s.need(Norms, "norms"); err != nil {
		return r, err
	}
	for p, n := range s.Lengths {
		if position < 0 || position >= n || n < 2 {
			return r, fmt.Errorf("norms at position %d: prompt %d has %d tokens", position, s.Prompts[p], n)
		}
	}
	r.Key, r.KeyPerPrompt = s.normRatio(nameKeyNorm, s.KVHeads, position)
	r.Value, r.ValuePerPrompt = s.normRatio(nameValueNorm, s.KVHeads, position)
	r.Residual, r.ResidualPerPrompt = s.normRatio(nameResidualNorm, 1, position)
	return r, nil
}

func (s *Survey) normRatio(name string, heads, position int) (means []float64, perPrompt [][]float64) {
	for l := range s.Layers {
		ratios := make([]float64, len(s.Lengths))
		for p, n := range s.Lengths {
			for h := range heads {
				row := s.data[name][p][(l*heads+h)*n:][:n]
				others := 0.0
				for k, v := range row {
					if k != position {
						others += float64(v) / float64(n-1)
					}
				}
				ratios[p] += float64(row[position]) / max(others, tiny) / float64(heads)
			}
		}
		means, perPrompt = append(means, mean(ratios)), append(perPrompt, ratios)
	}
	return means, perPrompt
}

// KeyNorm, ValueNorm and ResidualNorm are the lengths of one prompt's vectors: [tokens].
func (s *Survey) KeyNorm(prompt, layer, head int) ([]float32, error) {
	return s.norms(nameKeyNorm, prompt, layer, head, s.KVHeads)
}

// ValueNorm: see KeyNorm.
func (s *Survey) ValueNorm(prompt, layer, head int) ([]float32, error) {
	return s.norms(nameValueNorm, prompt, layer, head, s.KVHeads)
}

// ResidualNorm: see KeyNorm; behind the layer.
func (s *Survey) ResidualNorm(prompt, layer int) ([]float32, error) {
	return s.norms(nameResidualNorm, prompt, layer, 0, 1)
}

func (s *Survey) norms(name string, prompt, layer, head, heads int) ([]float32, error) {
	if err := s.need(Norms, "norms"); err != nil {
		return nil, err
	}
	if prompt < 0 || prompt >= len(s.Lengths) || layer < 0 || layer >= s.Layers || head < 0 || head >= heads {
		return nil, fmt.Errorf("%s of prompt %d, layer %d, key head %d: the survey has %d, %d and %d", name, prompt, layer, head, len(s.Lengths), s.Layers, heads)
	}
	n := s.Lengths[prompt]
	return s.data[name][prompt][(layer*heads+head)*n:][:n], nil
}
