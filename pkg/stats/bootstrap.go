package stats

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Resamples of every bootstrap.
const Resamples = 2000

// Quantile is the p-quantile of sorted values, interpolated linearly between order statistics: with h = (n - 1) p,
//
//	x_floor(h) + (h - floor(h)) (x_floor(h)+1 - x_floor(h))
//
// (type 7 of Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996); the default of R and
// NumPy). p outside [0, 1] is taken as the nearer end; without values the result is NaN.
func Quantile(p float64, sorted []float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	h := min(1, max(0, p)) * float64(len(sorted)-1)
	below := int(h)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (h-float64(below))*(sorted[below+1]-sorted[below])
}

// Bootstrap is the 95 % percentile interval of a statistic of n units that were drawn from a population (prompts, documents): units are
// drawn with replacement, [Resamples] times, and the interval reaches from the 2.5 % to the 97.5 % [Quantile] of the statistic. The
// statistic gets the n indices of a draw, which it must not keep. Equal seeds give equal draws. Without units the interval is [NaN, NaN].
//
// For paired outcomes that are right or wrong use [PairedScore], which draws nothing and covers better.
//
// Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
func Bootstrap(seed uint64, n int, statistic func(draw []int) float64) Interval {
	if n <= 0 {
		return Interval{Low: math.NaN(), High: math.NaN()}
	}
	r := rand.New(rand.NewPCG(seed, 0x73696e6b)) // "sink": a stream of its own
	values, draw := make([]float64, Resamples), make([]int, n)
	for i := range values {
		for k := range draw {
			draw[k] = r.IntN(n)
		}
		values[i] = statistic(draw)
	}
	slices.Sort(values)
	return Interval{Low: Quantile(Alpha/2, values), High: Quantile(1-Alpha/2, values)}
}

// MeanInterval is the [Bootstrap] interval of the mean of one value per unit. Of a single unit it is a point.
func MeanInterval(values []float64, seed uint64) Interval {
	return Bootstrap(seed, len(values), func(draw []int) float64 {
		sum := 0.0
		for _, i := range draw {
			sum += values[i]
		}
		return sum / float64(len(draw))
	})
}

// RatioInterval is the [Bootstrap] interval of a ratio of sums over units, sum numerators / sum denominators. Draws in which nothing is
// divided by count as 0. It panics if the lists differ in length.
func RatioInterval(numerators, denominators []float64, seed uint64) Interval {
	if len(numerators) != len(denominators) {
		panic("stats.RatioInterval: numerators and denominators of different units")
	}
	return Bootstrap(seed, len(numerators), func(draw []int) float64 {
		above, below := 0.0, 0.0
		for _, i := range draw {
			above, below = above+numerators[i], below+denominators[i]
		}
		if below == 0 {
			return 0
		}
		return above / below
	})
}

// Change is the mean of paired differences, one per unit.
type Change struct {
	Mean float64  `json:"mean"`
	CI95 Interval `json:"ci95"`
	N    int      `json:"n"`
}

// PairedMean compares two measurements of the same units: the mean of after minus before with its [Bootstrap] interval. It panics if
// the lists differ in length: those are not the same units.
func PairedMean(after, before []float64, seed uint64) Change {
	if len(after) != len(before) {
		panic("stats.PairedMean: measurements of different units")
	}
	d := make([]float64, len(after))
	sum := 0.0
	for i := range d {
		d[i] = after[i] - before[i]
		sum += d[i]
	}
	return Change{sum / float64(max(1, len(d))), MeanInterval(d, seed), len(d)}
}

// PairedRatio compares two ratios of sums over the same units, such as the mean loss per token over documents before and after an
// intervention: sum after / sum weights - sum before / sum weights, with the [Bootstrap] interval of that difference when units are drawn
// with both of their sums. It panics if the lists differ in length.
func PairedRatio(after, before, weights []float64, seed uint64) Change {
	if len(after) != len(before) || len(after) != len(weights) {
		panic("stats.PairedRatio: measurements of different units")
	}
	d := make([]float64, len(after))
	sum, weight := 0.0, 0.0
	for i := range d {
		d[i] = after[i] - before[i]
		sum, weight = sum+d[i], weight+weights[i]
	}
	if weight == 0 {
		weight = 1
	}
	return Change{sum / weight, RatioInterval(d, weights, seed), len(d)}
}

// Spread is how sampled answers vary, for k answers to each of n items.
type Spread struct {
	Mean    float64 `json:"mean"`    // share of right answers
	Within  float64 `json:"within"`  // variance of one answer about its item's mean
	Between float64 `json:"between"` // variance of the items' true means
}

// Variation splits the variance of sampled answers (1 right, 0 wrong; [item][sample]) into that within items, which more samples make
// smaller, and that between items, which only more items do (one-way random effects, method of moments):
//
//	within = mean_i s_i^2,   between = max(0, variance of item means - within * mean_i 1/k_i)
//
// so the variance of the mean over n items with k samples is (between + within/k) / n. Items with fewer than two samples add nothing to
// within; without items all is 0.
//
// Source: Miller, arXiv 2411.00640, section 3.1.
func Variation(samples [][]float64) Spread {
	var s Spread
	var means []float64
	repeated, inverse := 0, 0.0
	for _, answers := range samples {
		if len(answers) == 0 {
			continue
		}
		means = append(means, stat.Mean(answers, nil))
		inverse += 1 / float64(len(answers))
		if len(answers) > 1 {
			s.Within += stat.Variance(answers, nil)
			repeated++
		}
	}
	if len(means) == 0 {
		return s
	}
	s.Within /= float64(max(1, repeated))
	s.Mean = stat.Mean(means, nil)
	if len(means) > 1 {
		s.Between = max(0, stat.Variance(means, nil)-s.Within*inverse/float64(len(means)))
	}
	return s
}
