package eval

import (
	"math"
	"math/rand/v2"
	"slices"
)

// DefaultResamples of the bootstrap.
const DefaultResamples = 10_000

// PairedBootstrap is the 95 % percentile interval of the difference of two accuracies on the same n items, of which
// `gained` are right only in the arm and `lost` only in the baseline. Items are drawn with replacement, an item with both of its outcomes:
//
//	d* = (gained* - lost*) / n,   interval = the 2.5 % and 97.5 % quantiles of d* over the resamples
//
// An item adds +1, -1 or 0 to the difference and is nothing else to it, so the counts say all about the sample.
// Quantiles interpolate linearly between order statistics (type 7 of Hyndman and Fan 1996). Resamples up to 0 mean [DefaultResamples].
//
// Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
func PairedBootstrap(gained, lost, n, resamples int, seed uint64) [2]float64 {
	if resamples <= 0 {
		resamples = DefaultResamples
	}
	if n <= 0 || n > math.MaxInt32 || gained < 0 || lost < 0 || gained+lost > n {
		return [2]float64{-1, 1} // not the counts of any sample: nothing is excluded
	}
	const stream = 0x626f6f74 // "boot": keeps this draw apart from others of the same seed
	r := rand.New(rand.NewPCG(seed, stream))
	items, gain, change := uint32(n), uint32(gained), uint32(gained+lost)
	differences := make([]float64, resamples)
	for i := range differences {
		sum := 0
		for range n {
			// Items 0..gain-1 are the gained ones, gain..change-1 the lost ones.
			switch item := r.Uint32N(items); {
			case item < gain:
				sum++
			case item < change:
				sum--
			}
		}
		differences[i] = float64(sum) / float64(n)
	}
	slices.Sort(differences)
	return [2]float64{quantile(differences, Alpha/2), quantile(differences, 1-Alpha/2)}
}

// quantile of sorted values, interpolated.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}
