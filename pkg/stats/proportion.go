package stats

import (
	"math"

	"github.com/attune-lab/attune/pkg/stats/interval"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Alpha is the level of every test of this package; its intervals have confidence 1 - Alpha unless a function takes a level.
const Alpha = 0.05

// Interval is a closed interval: that of package interval, which cells link without the rest of this package.
type Interval = interval.Interval

// Wilson is the 95 % score interval of a proportion, k of n:
//
//	( k/n + z^2/2n  +-  z sqrt( k/n (1 - k/n)/n + z^2/4n^2 ) ) / (1 + z^2/n),   z = 1.96
//
// It stays inside [0, 1] and behaves at k = 0 and k = n, where the normal interval has no width. With n <= 0 nothing was seen and
// the interval is [0, 1].
//
// Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927); recommended by
// Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001).
func Wilson(k, n int) Interval {
	if n <= 0 {
		return Interval{Low: 0, High: 1}
	}
	z := criticalZ(Alpha)
	share, size := float64(k)/float64(n), float64(n)
	centre := share + z*z/(2*size)
	half := z * math.Sqrt(max(0, share*(1-share)/size+z*z/(4*size*size)))
	scale := 1 + z*z/size
	return Interval{Low: max(0, (centre-half)/scale), High: min(1, (centre+half)/scale)}
}

// AboveChance is the one-sided p of k right answers of n against guessing: P[X >= k], X ~ Binomial(n, chance), exact. A large
// value means that the accuracy cannot be told from guessing.
//
// With the same number of choices in every item the test is exact. With mixed numbers, chance being their mean, it errs
// on the careful side: for k above the mean by 1 or more, the binomial's tail is at least that of the mixture
// (Hoeffding, "On the distribution of the number of successes in independent trials", Annals of Mathematical Statistics 27, 1956).
func AboveChance(k, n int, chance float64) float64 { return binomialTail(k, n, chance) }

// ChanceLevel is the expected accuracy of guessing: the mean of 1/choices over items with so many choices each. Items without
// choices (open answers) add 0. It is 0 without items.
func ChanceLevel(choices []int) float64 {
	if len(choices) == 0 {
		return 0
	}
	sum := 0.0
	for _, k := range choices {
		if k > 0 {
			sum += 1 / float64(k)
		}
	}
	return sum / float64(len(choices))
}

// binomialTail is P[X >= k] for X ~ Binomial(n, p): the regularised incomplete beta function I_p(k, n-k+1).
func binomialTail(k, n int, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return mathext.RegIncBeta(float64(k), float64(n-k+1), p)
}

// binomialMass is P[X = k] for X ~ Binomial(n, p).
func binomialMass(k, n int, p float64) float64 {
	return distuv.Binomial{N: float64(n), P: p}.Prob(float64(k))
}

// criticalZ is the two-sided critical value of a standard normal statistic at the level.
func criticalZ(level float64) float64 { return distuv.UnitNormal.Quantile(1 - level/2) }

// twoSidedP is P[|Z| >= |z|] for a standard normal Z.
func twoSidedP(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }
