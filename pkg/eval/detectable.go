package eval

import "math"

// Defaults of [MinimumDetectable], as method.md states them.
const (
	DefaultFlips = 0.10 // share of items on which the arms differ
	DefaultPower = 0.80 // chance of finding the difference
)

// MinimumDetectable is the smallest difference of accuracies that n paired items could have shown at the 5 % level, when
// a share `flips` of them changes sides, with the given power: the d that solves
//
//	d sqrt(n) = z_{1-alpha/2} sqrt(flips) + z_{power} sqrt(flips - d^2)
//
// d cannot exceed the share of flips. Where n is so small that it would have to, more flips than assumed are needed
// at the least, all in one direction: then d solves the equation with flips = d, and 1 is the answer if no d does.
//
// Source: Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43 (1987).
// With 10 % flips and 80 % power: 0.0075 at n = 14,042 (MMLU), 0.016 at 3,153 (its STEM part), 0.021 at 1,838 (PIQA).
func MinimumDetectable(n int, flips, power float64) float64 {
	if n <= 0 || flips <= 0 || flips > 1 || power <= 0 || power >= 1 {
		return 1
	}
	level, chance, root := normalQuantile(1-Alpha/2), normalQuantile(power), math.Sqrt(float64(n))
	// excess is negative below the solution and positive above it.
	excess := func(d float64) float64 {
		f := max(flips, d)
		return d*root - level*math.Sqrt(f) - chance*math.Sqrt(max(0, f-d*d))
	}
	if excess(1) <= 0 {
		return 1
	}
	low, high := 0.0, 1.0
	for range 60 { // halvings: below the resolution of float64
		if middle := (low + high) / 2; excess(middle) > 0 {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
