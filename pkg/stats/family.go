package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Power is the chance of finding a difference for which [Paired].Detectable is made.
const Power = 0.80

// Paired is one comparison of two arms on the same items, as a member of its family.
type Paired struct {
	Counts
	Difference float64  `json:"difference"` // (gained - lost) / n
	CI95       Interval `json:"ci95"`       // PairedScore, or the clustered interval where it decides
	CIFamily   Interval `json:"ci_family"`  // the same with confidence 1 - Alpha/Family: all of a family's cover together with 95 %
	P          float64  `json:"p"`          // ScoreTest, or the clustered test where it decides: CI95 excludes 0 exactly where P < Alpha
	Adjusted   float64  `json:"adjusted"`   // P after Holm's correction over the family; the word follows it
	Exact      float64  `json:"exact"`      // McNemar
	MidP       float64  `json:"mid_p"`      // McNemarMidP
	Detectable float64  `json:"detectable"` // smallest difference found with 80 % power; 0 where no difference is
	Family     int      `json:"family"`     // comparisons in the family; 0 outside any
	// CIOneSided has confidence 1 - 2 Alpha/Family: it lies within +-m where both one-sided tests at margin m reject at the family's level.
	CIOneSided Interval `json:"ci_one_sided"`
	// Clustered is nil where every item stands alone.
	Clustered *Clustered `json:"clustered,omitempty"`
}

// Family judges comparisons that were declared together, before looking: the arms and groups of one table. It is the only way to
// adjusted p-values and detectable differences, so both are always of the same family. With m comparisons:
//
//	Adjusted     Holm's correction of the m values of P
//	CIFamily     confidence 1 - Alpha/m (Bonferroni)
//	Detectable   80 % power at level Alpha/m, Holm's first step
//
// The result is in the order of the input. Impossible counts (no items, more flips than items) give the interval [-1, 1], p = 1 and no
// detectable difference.
//
// Holm's correction in ascending order of p: adjusted_(i) = max_{j <= i} min(1, (m - j + 1) p_(j)). It needs no assumption about how
// the tests depend on each other. CIFamily is as wide as Holm's first step asks; later steps reject at a weaker level, so a comparison
// can be shown (Adjusted < Alpha) while its CIFamily just reaches 0.
//
// Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
func Family(cs []Counts) []Paired {
	tests := make([]Clusters, len(cs))
	for i, c := range cs {
		tests[i] = Clusters{Counts: c}
	}
	return ClusteredFamily(tests)
}

// ClusteredFamily is [Family] of comparisons whose items may share clusters (a passage, a goal). Where more than [SharedItems] of the
// items share one, the clustered interval and test decide; elsewhere they stand beside, in Clustered.
func ClusteredFamily(tests []Clusters) []Paired {
	out := make([]Paired, len(tests))
	p := make([]float64, len(tests))
	level := Alpha / float64(max(1, len(tests)))
	for i, test := range tests {
		out[i] = describe(test, level)
		out[i].Family = len(tests)
		p[i] = out[i].P
		n := test.N
		if c := out[i].Clustered; c != nil && c.Decides && c.DesignEffect > 1 {
			n = int(float64(n) / c.DesignEffect)
		}
		flips := float64(test.Gained+test.Lost) / float64(max(1, test.N))
		if test.possible() {
			out[i].Detectable, _ = detectable(n, flips, level)
		}
	}
	for i, adjusted := range holm(p) {
		out[i].Adjusted = adjusted
	}
	return out
}

// Outside describes a comparison that belongs to no family, such as one of many subjects that are shown and not tested: counts,
// difference and intervals. P, Adjusted, Exact and MidP are 1 and nothing is detectable, so [Paired.Word] never claims a difference.
func Outside(test Clusters) Paired {
	p := describe(test, Alpha)
	p.P, p.Adjusted, p.Exact, p.MidP = 1, 1, 1, 1
	return p
}

// describe is everything of a comparison that does not depend on the other members of its family, with CIFamily at the level.
func describe(test Clusters, level float64) Paired {
	c := test.Counts
	p := Paired{
		Counts: c, Difference: c.Difference(), P: 1, Exact: 1, MidP: 1,
		CI95: PairedScore(c), CIFamily: PairedScoreAt(c, level), CIOneSided: PairedScoreAt(c, 2*level), Clustered: test.summary(),
	}
	if c.possible() {
		p.P, p.Exact, p.MidP = ScoreTest(c), McNemar(c), McNemarMidP(c)
	}
	if p.Clustered != nil && p.Clustered.Decides {
		p.P = p.Clustered.decidingP(c)
		p.CI95 = p.Clustered.decidingInterval(c, Alpha)
		p.CIFamily = p.Clustered.decidingInterval(c, level)
		p.CIOneSided = p.Clustered.decidingInterval(c, 2*level)
	}
	return p
}

// holm adjusts p-values, in the order of the input.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted := make([]float64, len(p))
	largest := 0.0
	for rank, i := range order {
		largest = max(largest, min(1, float64(len(p)-rank)*p[i]))
		adjusted[i] = largest
	}
	return adjusted
}

// detectable is the smallest difference d that the score test at the level finds with 80 % power among n items of which a share
// max(flips, d) changes, the rest of the family being null; ok is false and d 0 where none reaches 80 %. The power is the exact one of
// (gained, lost) ~ Multinomial(n; (f+d)/2, (f-d)/2), f = max(flips, d), found from Connor's approximation
//
//	d sqrt(n) = z_{1-level/2} sqrt(f) + z_{80 %} sqrt(f - d^2)
//
// (method.md asks for exactness below 1,000 items; above, the exact sum is cheap, too, and right where few items flip.)
//
// Source: Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43 (1987).
func detectable(n int, flips, level float64) (d float64, ok bool) {
	if n <= 0 || power(n, flips, 1, level) < Power {
		return 0, false
	}
	low, high := 0.0, 1.0
	for guess, step := connor(n, flips, level), 0.05; ; step *= 2 { // a narrow bracket around the approximation
		low, high = max(0, guess*(1-step)), min(1, guess*(1+step))
		if (low == 0 || power(n, flips, low, level) < Power) && (high == 1 || power(n, flips, high, level) >= Power) {
			break
		}
	}
	for high-low > 1e-6 { // a ten-thousandth of a point
		if middle := (low + high) / 2; power(n, flips, middle, level) < Power {
			low = middle
		} else {
			high = middle
		}
	}
	return high, true
}

// connor solves Connor's equation by halving.
func connor(n int, flips, level float64) float64 {
	root, z, chance := math.Sqrt(float64(n)), criticalZ(level), distuv.UnitNormal.Quantile(Power)
	low, high := 0.0, 1.0
	for range 40 {
		d := (low + high) / 2
		f := max(flips, d)
		if d*root < z*math.Sqrt(f)+chance*math.Sqrt(max(0, f-d*d)) {
			low = d
		} else {
			high = d
		}
	}
	return high
}

// power is the chance that the score test at the level rejects in the direction of a true difference d: the sum over the number of
// flips D ~ Binomial(n, f) of P[(2G - D) / sqrt(D) > z], G ~ Binomial(D, (f+d)/2f). Numbers of flips with less than 1e-9 of all chance
// are left out.
func power(n int, flips, d, level float64) float64 {
	f := max(flips, d)
	if f <= 0 {
		return 0
	}
	z, gain := criticalZ(level), min(1, (f+d)/(2*f))
	mean, spread := float64(n)*f, math.Sqrt(float64(n)*f*max(0, 1-f))
	from, to := max(1, int(mean-7*spread-10)), min(n, int(mean+7*spread+30))
	sum := 0.0
	for D := from; D <= to; D++ {
		needed := int(math.Floor((float64(D)+z*math.Sqrt(float64(D)))/2)) + 1 // the fewest gains that are rejected
		if needed > D {
			continue
		}
		sum += binomialMass(D, n, f) * binomialTail(needed, D, gain)
	}
	return sum
}
