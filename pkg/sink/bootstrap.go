package sink

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// bootstrapResamples is how many resamples an interval is made of.
const bootstrapResamples = 2000

// Interval95 is the 95 % percentile bootstrap interval of the mean of one value per prompt: prompts are drawn with replacement (Efron and
// Tibshirani 1993, section 13.3). Give it the differences of two surveys of the same prompts for a paired interval. NaN-free values are the
// caller's duty; of a single prompt the interval is a point.
func Interval95(perPrompt []float64, seed uint64) [2]float64 {
	ones := make([]float64, len(perPrompt))
	for i := range ones {
		ones[i] = 1
	}
	return RatioInterval95(perPrompt, ones, seed)
}

// RatioInterval95 is the same of a ratio of sums over prompts. Draws in which nothing is divided by count as 0.
func RatioInterval95(numerators, denominators []float64, seed uint64) [2]float64 {
	rng := rand.New(rand.NewPCG(seed, 0x73696e6b)) // "sink": a stream of its own
	ratios := make([]float64, bootstrapResamples)
	for i := range ratios {
		above, below := 0.0, 0.0
		for range numerators {
			k := rng.IntN(len(numerators))
			above, below = above+numerators[k], below+denominators[k]
		}
		if below != 0 {
			ratios[i] = above / below
		}
	}
	slices.Sort(ratios)
	return [2]float64{stat.Quantile(0.025, stat.LinInterp, ratios, nil), stat.Quantile(0.975, stat.LinInterp, ratios, nil)}
}

// Change is the mean of paired differences, one per prompt.
type Change struct {
	Mean float64
	CI95 [2]float64
	N    int
}

// PairedMean compares two surveys of the same prompts by one value per prompt: the mean of after minus before with its bootstrap interval.
// It panics if the lists differ in length: those are not the same prompts.
func PairedMean(after, before []float64, seed uint64) Change {
	if len(after) != len(before) {
		panic("sink.PairedMean: surveys of different prompts")
	}
	d := make([]float64, len(after))
	for i := range d {
		d[i] = after[i] - before[i]
	}
	return Change{mean(d), Interval95(d, seed), len(d)}
}
