package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// SharedItems is the share of items with a cluster mate above which the clustered interval and test decide. It is known before scoring.
const SharedItems = 0.10

// Clusters are the counts of a comparison with the sums of its clusters: items that share a passage or a goal. Without Sizes and Sums
// every item stands alone.
type Clusters struct {
	Counts
	Sizes []int // items of each cluster
	Sums  []int // gained minus lost of each cluster
}

// Cluster compares two arms on the same items and sums by cluster. An empty id is an item that stands alone; no ids at all mean that
// every item does. It panics if the lists differ in length.
func Cluster(after, before []bool, ids []string) Clusters {
	if len(ids) != 0 && len(ids) != len(after) {
		panic("stats.Cluster: clusters of different items")
	}
	c := Clusters{Counts: Count(after, before)}
	if len(ids) == 0 {
		return c
	}
	at := make(map[string]int)
	for i, id := range ids {
		place, met := at[id]
		if !met || id == "" {
			place = len(c.Sizes)
			c.Sizes, c.Sums = append(c.Sizes, 0), append(c.Sums, 0)
			at[id] = place
		}
		c.Sizes[place]++
		switch {
		case after[i] && !before[i]:
			c.Sums[place]++
		case before[i] && !after[i]:
			c.Sums[place]--
		}
	}
	return c
}

// Shared is the share of items that have a cluster mate.
func (c Clusters) Shared() float64 {
	shared, all := 0, 0
	for _, size := range c.Sizes {
		all += size
		if size > 1 {
			shared += size
		}
	}
	if all == 0 {
		return 0
	}
	return float64(shared) / float64(all)
}

// Clustered is what a comparison looks like when items of a cluster may change together.
type Clustered struct {
	Clusters     int      `json:"clusters"`
	Shared       float64  `json:"shared"`        // share of items with a cluster mate
	SE           float64  `json:"se"`            // of the difference, see [Clusters.StandardError]
	DesignEffect float64  `json:"design_effect"` // SE^2 against that of items that stand alone; 1 with no flips
	CI95         Interval `json:"ci95"`          // difference +- t_{C-1} SE, within [-1, 1]
	P            float64  `json:"p"`             // sign flips of whole clusters, see [Clusters.SignFlips]
	Decides      bool     `json:"decides"`       // more than SharedItems of the items share a cluster
}

// summary is nil where every item stands alone.
func (c Clusters) summary() *Clustered {
	if c.Shared() == 0 || !c.possible() {
		return nil
	}
	s := &Clustered{Clusters: len(c.Sizes), Shared: c.Shared(), SE: c.StandardError(), DesignEffect: 1, P: c.SignFlips()}
	s.Decides = s.Shared > SharedItems
	s.CI95 = s.interval(c.Difference(), Alpha)
	d, n := c.Difference(), float64(c.N)
	if alone := (float64(c.Gained+c.Lost)/n - d*d) / (n - 1); alone > 0 {
		s.DesignEffect = s.SE * s.SE / alone
	}
	return s
}

// StandardError of the difference when whole clusters are drawn, d_i in {-1, 0, 1} being the change of item i:
//
//	SE^2 = sum_c ( sum_{i in c} (d_i - mean d) )^2 / n^2 * C / (C - 1)
//
// with C clusters. Where every item stands alone it is the standard error of a mean. With fewer than two clusters it is infinite.
//
// Source: Miller, "Adding error bars to evals", arXiv 2411.00640, section 2.2.
func (c Clusters) StandardError() float64 {
	d, n := c.Difference(), float64(c.N)
	if len(c.Sizes) == 0 {
		if c.N < 2 {
			return math.Inf(1)
		}
		return math.Sqrt(max(0, float64(c.Gained+c.Lost)/n-d*d) / (n - 1))
	}
	count := float64(len(c.Sizes))
	if count < 2 {
		return math.Inf(1)
	}
	squares := 0.0
	for i, size := range c.Sizes {
		residual := float64(c.Sums[i]) - float64(size)*d
		squares += residual * residual
	}
	return math.Sqrt(squares*count/(count-1)) / n
}

// SignFlips is the two-sided p of the hypothesis that each whole cluster might as well have changed the other way:
//
//	p = P[ |sum_c e_c s_c| >= |sum_c s_c| ],   s_c = gained - lost of cluster c, e_c = +-1 with even chances
//
// exact, by convolution over the clusters, and 1 with no flips. Where every item stands alone it is [McNemar].
func (c Clusters) SignFlips() float64 {
	if len(c.Sizes) == 0 {
		return McNemar(c.Counts)
	}
	reach, seen := 0, 0
	for _, s := range c.Sums {
		reach += abs(s)
		seen += s
	}
	chance := make([]float64, 2*reach+1) // of each sum, at sum + reach
	next := make([]float64, len(chance))
	chance[reach] = 1
	width := 0
	for _, s := range c.Sums {
		if s == 0 {
			continue
		}
		s = abs(s)
		clear(next)
		for at := reach - width; at <= reach+width; at++ {
			next[at-s] += chance[at] / 2
			next[at+s] += chance[at] / 2
		}
		width += s
		chance, next = next, chance
	}
	p := 0.0
	for at := 0; at <= reach-abs(seen); at++ {
		p += chance[at]
	}
	if seen == 0 {
		return 1
	}
	return min(1, 2*p)
}

// interval is the difference +- t_{C-1} SE at the level.
func (s *Clustered) interval(difference, level float64) Interval {
	if math.IsInf(s.SE, 1) {
		return Interval{Low: -1, High: 1}
	}
	half := s.SE * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(s.Clusters - 1)}.Quantile(1-level/2)
	return Interval{Low: max(-1, difference-half), High: min(1, difference+half)}
}

// decidingP is the largest p of the sign flips, of Student's t with C - 1 degrees of freedom and of the score test: clusters never
// make a comparison look surer than its items.
func (s *Clustered) decidingP(c Counts) float64 {
	t := 1.0
	if d := c.Difference(); d != 0 && s.SE > 0 && !math.IsInf(s.SE, 1) {
		t = 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(s.Clusters - 1)}.Survival(math.Abs(d)/s.SE)
	} else if d != 0 && s.SE == 0 {
		t = 0 // every cluster changed alike; the other two tests decide
	}
	return max(s.P, t, ScoreTest(c))
}

// decidingInterval is never narrower than Tango's, and reaches to 0 where the sign flips alone do not reject: it excludes 0 exactly
// where decidingP is below the level.
func (s *Clustered) decidingInterval(c Counts, level float64) Interval {
	i := s.interval(c.Difference(), level).Hull(PairedScoreAt(c, level))
	if s.P >= level {
		i = i.Hull(Interval{})
	}
	return i
}

func abs(x int) int { return max(x, -x) }
