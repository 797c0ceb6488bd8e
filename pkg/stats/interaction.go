package stats

import (
	"math"
	"math/rand/v2"
)

// Contrast is how much the effect of an arm differs between two groups of items, as a member of its family.
type Contrast struct {
	Difference float64  `json:"difference"` // difference in the first group minus difference in the second
	CI95       Interval `json:"ci95"`       // within [-2, 2]
	CIFamily   Interval `json:"ci_family"`  // confidence 1 - Alpha/Family
	P          float64  `json:"p"`          // z with unpooled errors, or a permutation of whole clusters
	Adjusted   float64  `json:"adjusted"`   // after Holm's correction over the family
	Family     int      `json:"family"`
}

// Interaction is the effect in group a minus the effect in group b (non-STEM against STEM), with 95 % interval and two-sided p. The
// groups share no items. With difference d = (gained - lost) / n of each:
//
//	z = (d_a - d_b) / sqrt(V_a + V_b),   V = ( (gained + lost)/n - d^2 ) / n       (errors not pooled)
//	low  = d_a - d_b - sqrt( (d_a - l_a)^2 + (u_b - d_b)^2 ),   high likewise      (MOVER)
//
// where [l, u] are the groups' Tango intervals. With no flips p = 1; where every item of a group changed alike, its variance is taken as
// that of one item that did not. Impossible counts give the interval [-2, 2] and p = 1.
//
// Source: MOVER: Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008).
func Interaction(a, b Counts) (difference float64, ci Interval, p float64) {
	difference = a.Difference() - b.Difference()
	if !a.possible() || !b.possible() {
		return difference, Interval{Low: -2, High: 2}, 1
	}
	ci = mover(a.Difference(), b.Difference(), PairedScore(a), PairedScore(b))
	if difference == 0 {
		return 0, ci, 1
	}
	return difference, ci, twoSidedP(difference / math.Sqrt(a.variance()+b.variance()))
}

// variance of the difference, the estimate that Wald's test uses.
func (c Counts) variance() float64 {
	d, n := c.Difference(), float64(c.N)
	v := float64(c.Gained+c.Lost)/n - d*d
	if v <= 0 && c.Gained+c.Lost > 0 {
		v = 1 / n
	}
	return v / n
}

// mover combines the intervals of two independent estimates into one of their difference.
func mover(a, b float64, ciA, ciB Interval) Interval {
	return Interval{Low: a - b - math.Hypot(a-ciA.Low, ciB.High-b), High: a - b + math.Hypot(ciA.High-a, b-ciB.Low)}
}

// Groups are two groups of items under one arm.
type Groups struct{ A, B Clusters }

// permutations of the clustered interaction test.
const permutations = 9999

// InteractionFamily judges the interactions of several arms together: [Interaction] each, Holm's correction over all. Where more than
// [SharedItems] of the items share a cluster, a cluster's items being all in one group, the interval is MOVER's from the two clustered
// intervals, and p comes from permuting the labels a and b over whole clusters, each time with the studentised statistic
//
//	t = (d_a - d_b) / sqrt(SE_a^2 + SE_b^2),   p = (1 + #{|t*| >= |t|}) / (1 + permutations)
//
// with clustered errors. Without studentising, labels are not exchangeable when the groups differ in their share of flips, and the test
// rejects a true hypothesis too often. The seed draws the permutations.
//
// Source: Janssen, "Studentized permutation tests for non-iid hypotheses and the generalized Behrens-Fisher problem", Statistics and
// Probability Letters 36 (1997).
func InteractionFamily(arms []Groups, seed uint64) []Contrast {
	out := make([]Contrast, len(arms))
	p := make([]float64, len(arms))
	level := Alpha / float64(max(1, len(arms)))
	for i, g := range arms {
		c := Contrast{Family: len(arms)}
		c.Difference, c.CI95, c.P = Interaction(g.A.Counts, g.B.Counts)
		c.CIFamily = c.CI95
		if g.A.possible() && g.B.possible() {
			a, b := g.A.Difference(), g.B.Difference()
			c.CIFamily = mover(a, b, PairedScoreAt(g.A.Counts, level), PairedScoreAt(g.B.Counts, level))
			if g.clustered() {
				c.CI95 = mover(a, b, g.A.interval(Alpha), g.B.interval(Alpha))
				c.CIFamily = mover(a, b, g.A.interval(level), g.B.interval(level))
				c.P = g.permute(permutations, seed)
			}
		}
		out[i], p[i] = c, c.P
	}
	for i, adjusted := range holm(p) {
		out[i].Adjusted = adjusted
	}
	return out
}

// clustered reports whether more than SharedItems of both groups' items share a cluster.
func (g Groups) clustered() bool {
	n := float64(g.A.N + g.B.N)
	return (g.A.Shared()*float64(g.A.N)+g.B.Shared()*float64(g.B.N))/n > SharedItems
}

// interval of the difference under clustering: the wider of Student's and Tango's.
func (c Clusters) interval(level float64) Interval {
	tango := PairedScoreAt(c.Counts, level)
	s := c.summary()
	if s == nil {
		return tango
	}
	return s.interval(c.Difference(), level).Hull(tango)
}

// permute is the p of the studentised permutation test with so many draws.
func (g Groups) permute(draws int, seed uint64) float64 {
	a, b := g.A.alone(), g.B.alone()
	sizes := append(append([]int{}, a.Sizes...), b.Sizes...)
	sums := append(append([]int{}, a.Sums...), b.Sums...)
	count := len(a.Sizes)
	seen := math.Abs(studentised(sizes, sums, count))
	r := rand.New(rand.NewPCG(seed, 0x7065726d)) // "perm": keeps this draw apart from others of the same seed
	extreme := 0
	for range draws {
		r.Shuffle(len(sizes), func(i, j int) {
			sizes[i], sizes[j] = sizes[j], sizes[i]
			sums[i], sums[j] = sums[j], sums[i]
		})
		if math.Abs(studentised(sizes, sums, count)) >= seen*(1-1e-12) {
			extreme++
		}
	}
	return float64(1+extreme) / float64(1+draws)
}

// alone gives every item a cluster where none are named.
func (c Clusters) alone() Clusters {
	if len(c.Sizes) > 0 {
		return c
	}
	c.Sizes, c.Sums = make([]int, c.N), make([]int, c.N)
	for i := range c.Sizes {
		c.Sizes[i] = 1
		switch {
		case i < c.Gained:
			c.Sums[i] = 1
		case i < c.Gained+c.Lost:
			c.Sums[i] = -1
		}
	}
	return c
}

// studentised is the difference of the first count clusters' mean and that of the others, over its clustered error; 0 where nothing changed.
func studentised(sizes, sums []int, count int) float64 {
	meanA, varianceA := clusterMean(sizes[:count], sums[:count])
	meanB, varianceB := clusterMean(sizes[count:], sums[count:])
	if meanA == meanB {
		return 0
	}
	return (meanA - meanB) / math.Sqrt(varianceA+varianceB)
}

// clusterMean is the mean change of the clusters' items and its squared clustered error.
func clusterMean(sizes, sums []int) (mean, variance float64) {
	n, s, ss, sn, nn := 0, 0, 0, 0, 0
	for i, size := range sizes {
		n, s = n+size, s+sums[i]
		ss, sn, nn = ss+sums[i]*sums[i], sn+sums[i]*size, nn+size*size
	}
	if n == 0 {
		return 0, 0
	}
	count, items := float64(len(sizes)), float64(n)
	mean = float64(s) / items
	squares := float64(ss) - 2*mean*float64(sn) + mean*mean*float64(nn)
	return mean, max(0, squares) / (items * items) * count / max(1, count-1)
}
