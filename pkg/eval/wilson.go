package eval

import "math"

// Wilson is the 95 % score interval of a proportion, k of n:
//
//	( k/n + z^2/2n  +-  z sqrt( k/n (1 - k/n)/n + z^2/4n^2 ) ) / (1 + z^2/n),   z = 1.96
//
// It stays inside [0, 1] and behaves at k = 0 and k = n, where the normal interval has no width.
//
// Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927); recommended by
// Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001).
func Wilson(k, n int) [2]float64 {
	if n <= 0 {
		return [2]float64{0, 1} // nothing was seen: nothing is excluded
	}
	z := normalQuantile(1 - Alpha/2)
	share, size := float64(k)/float64(n), float64(n)
	centre := share + z*z/(2*size)
	half := z * math.Sqrt(share*(1-share)/size+z*z/(4*size*size))
	scale := 1 + z*z/size
	return [2]float64{max(0, (centre-half)/scale), min(1, (centre+half)/scale)}
}

// Alpha is the level of every interval and verdict of this package: 95 % intervals.
const Alpha = 0.05

// normalQuantile is the inverse of the standard normal distribution function.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
