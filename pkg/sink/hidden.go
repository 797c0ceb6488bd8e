package sink

import (
	"fmt"
	"slices"
)

// DefaultHidden is ACT's threshold of received attention (arXiv 2406.15765, section 3).
const DefaultHidden = 0.1

// HiddenSink is a key beyond the first that receives much of a head's attention.
type HiddenSink struct {
	Prompt   int // index among the surveyed prompts
	Token    int // position
	Heads    int // in how many heads, over all layers
	Layer    int // the first layer in which it is one
	Received float64
}

// HiddenSinks lists the keys k >= 1 with alpha_k > threshold in some head (ACT, arXiv 2406.15765): per prompt and key the number of such heads, the
// first such layer and the largest alpha_k. Keys that fewer than minQueries queries see are left out (1 = none, as published; the last key
// of a prompt is seen by itself alone, so its alpha says little). Most heads first.
func (s *Survey) HiddenSinks(threshold float64, minQueries int) ([]HiddenSink, error) {
	if !(threshold > 0 && threshold < 1) {
		return nil, fmt.Errorf("hidden sinks above %v: expected a threshold between 0 and 1", threshold)
	}
	var out []HiddenSink
	for p, n := range s.Lengths {
		for k := 1; k <= n-max(1, minQueries); k++ {
			found := HiddenSink{Prompt: p, Token: k, Layer: -1}
			for l := range s.Layers {
				for h := range s.Heads {
					a := s.Received(p, l, h)[k]
					if a <= float32(threshold) {
						continue
					}
					if found.Layer < 0 {
						found.Layer = l
					}
					found.Heads++
					found.Received = max(found.Received, float64(a))
				}
			}
			if found.Heads > 0 {
				out = append(out, found)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b HiddenSink) int { return b.Heads - a.Heads })
	return out, nil
}
