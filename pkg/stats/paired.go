package stats

import "math"

// Counts sum up one comparison of two arms on the same n items, each right or wrong in either arm. Items on which both arms agree
// only add to N.
type Counts struct {
	Gained int `json:"gained"` // only the arm is right
	Lost   int `json:"lost"`   // only what it is compared with is right
	N      int `json:"n"`      // items
}

// Count compares the outcomes of two arms on the same items. It panics if the lists differ in length: those are not the same items.
func Count(after, before []bool) Counts {
	if len(after) != len(before) {
		panic("stats.Count: outcomes of different items")
	}
	c := Counts{N: len(after)}
	for i := range after {
		switch {
		case after[i] && !before[i]:
			c.Gained++
		case before[i] && !after[i]:
			c.Lost++
		}
	}
	return c
}

// Difference of the accuracies, (gained - lost) / n; 0 without items.
func (c Counts) Difference() float64 {
	if c.N <= 0 {
		return 0
	}
	return float64(c.Gained-c.Lost) / float64(c.N)
}

// possible reports whether a sample can have these counts.
func (c Counts) possible() bool {
	return c.N > 0 && c.Gained >= 0 && c.Lost >= 0 && c.Gained+c.Lost <= c.N
}

// ScoreTest is the two-sided p of the score test that both accuracies are equal (McNemar's test without continuity correction):
//
//	z = (gained - lost) / sqrt(gained + lost),   p = P[|Z| >= |z|]
//
// With no flips p = 1. It is the test that [PairedScore] inverts, and the one that decides.
//
// Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", Psychometrika 12 (1947).
func ScoreTest(c Counts) float64 { return twoSidedP(c.scoreAt(0)) }

// scoreAt is Tango's statistic for the hypothesis that the true difference is delta, -1 < delta < 1:
//
//	T(delta) = (b - c - n delta) / sqrt( n (2 q + delta (1 - delta)) ),   b = gained, c = lost
//
// where q, the probability of a loss, is its maximum-likelihood estimate under the hypothesis: the larger root of
//
//	2n q^2 + ( (2n - b + c) delta - b - c ) q - c delta (1 - delta) = 0
//
// T falls in delta, and T(0) is the score statistic. Where the variance is 0, T is 0 or infinite.
func (c Counts) scoreAt(delta float64) float64 {
	if delta < 0 { // mirror, so that both sides round alike
		return -Counts{Gained: c.Lost, Lost: c.Gained, N: c.N}.scoreAt(-delta)
	}
	gained, lost, n := float64(c.Gained), float64(c.Lost), float64(c.N)
	linear := (2*n-gained+lost)*delta - gained - lost
	constant := lost * delta * (1 - delta) // with its sign turned: not negative
	root := math.Sqrt(linear*linear + 8*n*constant)
	q := (root - linear) / (4 * n)
	if linear > 0 { // the same root without cancellation
		q = 2 * constant / (linear + root)
	}
	variance := n * (2*q + delta*(1-delta))
	distance := gained - lost - n*delta
	if distance == 0 {
		return 0
	}
	return distance / math.Sqrt(max(0, variance))
}

// PairedScore is Tango's 95 % score interval of the difference of two accuracies on the same items: all differences that the score
// test does not reject. It excludes 0 exactly where [ScoreTest] gives p < 0.05, it is never [0, 0] (with no flips it is
// +- z^2 / (n + z^2): 7.1 points each way at n = 50), it stays within [-1, 1], and nothing is drawn. Impossible counts give [-1, 1].
//
// Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
// Statistics in Medicine 17 (1998); recommended by Fagerland, Lydersen, Laake, Statistics in Medicine 33 (2014).
func PairedScore(c Counts) Interval { return PairedScoreAt(c, Alpha) }

// PairedScoreAt is [PairedScore] with confidence 1 - level.
func PairedScoreAt(c Counts, level float64) Interval {
	if !c.possible() || !(level > 0 && level < 1) {
		return Interval{Low: -1, High: 1}
	}
	z := criticalZ(level)
	high := c.upperScore(z)
	low := -Counts{Gained: c.Lost, Lost: c.Gained, N: c.N}.upperScore(z)
	return Interval{Low: low, High: high}
}

// upperScore is the largest difference that is not rejected: T(delta) = -z.
func (c Counts) upperScore(z float64) float64 {
	if c.Gained == c.N {
		return 1
	}
	// The test at 0 decides on which side of 0 the end lies, so rounding cannot make interval and p disagree.
	below, above := c.Difference(), 1.0
	switch rejected := c.scoreAt(0) < -z; {
	case rejected:
		above = 0
	case below < 0:
		below = 0
	}
	for range 100 { // halvings: below the resolution of float64
		middle := below + (above-below)/2
		if middle == below || middle == above {
			break
		}
		if c.scoreAt(middle) < -z {
			above = middle
		} else {
			below = middle
		}
	}
	return below
}

// McNemar is the two-sided p of McNemar's exact test. Given how many items changed, each change is as likely a gain as a loss:
//
//	p = min(1, 2 P[X >= max(gained, lost)]),   X ~ Binomial(gained + lost, 1/2)
//
// With no flips p = 1. The test is exact and therefore careful: its size is below its level.
//
// Source: McNemar (1947); exact form: Agresti, Categorical Data Analysis, 3rd ed., section 11.1.
func McNemar(c Counts) float64 {
	return min(1, 2*binomialTail(max(c.Gained, c.Lost), c.Gained+c.Lost, 0.5))
}

// McNemarMidP is McNemar's mid-p: the outcome that was seen counts by half, on both sides,
//
//	p = McNemar(c) - P[X = gained],   or 1 - P[X = gained] / 2 where gained = lost
//
// and 1 with no flips.
//
// Source: Fagerland, Lydersen, Laake, "The McNemar test for binary matched-pairs data: mid-p and asymptotic are better than exact
// conditional", BMC Medical Research Methodology 13 (2013).
func McNemarMidP(c Counts) float64 {
	flips := c.Gained + c.Lost
	if flips <= 0 {
		return 1
	}
	seen := binomialMass(c.Gained, flips, 0.5)
	if c.Gained == c.Lost {
		return 1 - seen/2
	}
	return max(0, McNemar(c)-seen)
}

// Margin is the equivalence margin where none was given beforehand: 1 point.
const Margin = 0.01

// Equivalence is the p of two one-sided tests (TOST) that the difference lies outside +-margin, by Tango's statistic:
//
//	p = max( P[Z >= T(-margin)], P[Z <= T(margin)] )
//
// A p of at most 0.05 says "no effect larger than margin"; it is the same as the 90 % interval of [PairedScoreAt] lying within the margin.
// That a difference is not shown does not make p small. A margin of 0 or less gives 1, one of 1 or more gives 0.
//
// Source: Tango (1998); Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987).
func Equivalence(c Counts, margin float64) float64 {
	switch {
	case !c.possible() || !(margin > 0):
		return 1
	case margin >= 1:
		return 0
	}
	upper := math.Erfc(c.scoreAt(-margin)/math.Sqrt2) / 2
	lower := math.Erfc(-c.scoreAt(margin)/math.Sqrt2) / 2
	return max(upper, lower)
}
