package sink

import (
	"fmt"
	"math"
	"slices"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/stats"
)

// OutlierOptions say which keys stand out. The zero value is documented at each field.
type OutlierOptions struct {
	Z          float64 // robust z-score above which a key is an outlier; 0 = 3.5 (Iglewicz and Hoaglin 1993)
	MinQueries int     // leave out keys that fewer queries see, whose averages are of a few numbers; 0 = 8
	SkipFirst  bool    // leave position 0 out: its sink is known
}

func (o OutlierOptions) fill() OutlierOptions {
	if o.Z == 0 {
		o.Z = 3.5
	}
	if o.MinQueries == 0 {
		o.MinQueries = 8
	}
	return o
}

// Outliers are keys whose received attention is an outlier among the keys of its prompt in one head:
//
//	z_k = 0.6745 (alpha_k - median) / MAD > Z,    MAD = median |alpha_k - median|
//
// 0.6745 makes the MAD of a normal sample its standard deviation. Where the MAD is 0, any key above the median is an outlier.
type Outliers struct {
	OutlierOptions
	// PerLayer is the share of (prompt, head, key) that are outliers: [layers].
	PerLayer []float64
	// Counts are the numbers of heads, over all layers, in which each token is an outlier: [prompts][tokens], -1 for keys left out.
	Counts [][]int
	// perLayer counts outliers: [prompts][layers][tokens].
	perLayer [][][]int
}

// Outliers finds them in every head of the survey.
func (s *Survey) Outliers(opts OutlierOptions) *Outliers {
	o := &Outliers{OutlierOptions: opts.fill(), PerLayer: make([]float64, s.Layers)}
	keys := make([]int, s.Layers)
	for p, n := range s.Lengths {
		from, to := 0, max(0, n-o.MinQueries+1)
		if o.SkipFirst {
			from = 1
		}
		counts := make([]int, n)
		for k := range counts {
			if k < from || k >= to {
				counts[k] = -1
			}
		}
		layers := make([][]int, s.Layers)
		for l := range s.Layers {
			layers[l] = make([]int, n)
			if from >= to {
				continue
			}
			for h := range s.Heads {
				for i, z := range robustZ(s.Received(p, l, h)[from:to]) {
					if z > o.Z {
						layers[l][from+i]++
						counts[from+i]++
						o.PerLayer[l]++
					}
				}
				keys[l] += to - from
			}
		}
		o.Counts, o.perLayer = append(o.Counts, counts), append(o.perLayer, layers)
	}
	for l := range o.PerLayer {
		o.PerLayer[l] /= float64(max(1, keys[l]))
	}
	return o
}

// robustZ is 0.6745 (x - median) / MAD.
func robustZ(x []float32) []float64 {
	center := median(x)
	deviations := make([]float32, len(x))
	for i, v := range x {
		deviations[i] = float32(math.Abs(float64(v) - center))
	}
	mad := median(deviations)
	z := make([]float64, len(x))
	for i, v := range x {
		switch d := float64(v) - center; {
		case mad > 0:
			z[i] = 0.6745 * d / mad
		case d > 0:
			z[i] = math.Inf(1)
		}
	}
	return z
}

func median(x []float32) float64 {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	n := len(sorted)
	return (float64(sorted[(n-1)/2]) + float64(sorted[n/2])) / 2
}

// OutlierShare compares a class's share of outliers with its share of tokens.
type OutlierShare struct {
	Class    tokenizer.Class
	Tokens   float64   // share of the tokens that could be outliers
	Outliers float64   // share of all outliers, over layers, heads and prompts
	PerLayer []float64 // the same within each layer; NaN where a layer has none
	// Of each prompt how many outliers are in the class and how many there are in all: Outliers is the ratio of their sums.
	Found, All []float64
}

// CI95 is the bootstrap interval of Outliers over prompts.
func (o OutlierShare) CI95(seed uint64) stats.Interval {
	return stats.RatioInterval(o.Found, o.All, seed)
}

// ByClass breaks outliers down by token class; classes[i] are those of the i-th prompt given to Run. It is the test of the claim that
// non-semantic tokens attract outlier attention.
func (o *Outliers) ByClass(s *Survey, classes [][]tokenizer.Class) ([]OutlierShare, error) {
	out := make([]OutlierShare, len(tokenizer.Classes()))
	total := make([]float64, s.Layers)
	for c := range out {
		out[c] = OutlierShare{Class: tokenizer.Class(c), PerLayer: make([]float64, s.Layers)}
	}
	tokens, all := 0.0, 0.0
	for p, original := range s.Prompts {
		if original >= len(classes) || len(classes[original]) < s.Lengths[p] {
			return nil, fmt.Errorf("classes of prompt %d are missing or fewer than its %d tokens", original, s.Lengths[p])
		}
		inPrompt, ofClass := 0.0, make([]float64, len(tokenizer.Classes()))
		for k, n := range o.Counts[p] {
			if n < 0 {
				continue
			}
			ofClass[classes[original][k]] += float64(n)
			inPrompt += float64(n)
			c := &out[classes[original][k]]
			c.Tokens++
			tokens++
			for l := range s.Layers {
				found := float64(o.perLayer[p][l][k])
				c.Outliers += found
				c.PerLayer[l] += found
				total[l] += found
				all += found
			}
		}
		for c := range out {
			out[c].Found, out[c].All = append(out[c].Found, ofClass[c]), append(out[c].All, inPrompt)
		}
	}
	for c := range out {
		out[c].Tokens /= max(1, tokens)
		out[c].Outliers /= max(1, all)
		for l := range total {
			out[c].PerLayer[l] /= total[l]
		}
	}
	return out, nil
}
