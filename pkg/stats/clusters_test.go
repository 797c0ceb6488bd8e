package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestClusterSumsByID(t *testing.T) {
	after := []bool{true, true, false, true, false, true}
	before := []bool{false, true, true, false, false, false}
	c := Cluster(after, before, []string{"p", "q", "p", "q", "", ""})
	if fmt.Sprint(c.Sizes, c.Sums) != "[2 2 1 1] [0 1 0 1]" || c.Counts != (Counts{3, 1, 6}) {
		t.Errorf("%+v", c)
	}
	if got := c.Shared(); !near(got, 4.0/6, 1e-12) {
		t.Errorf("%v of the items share a cluster, expected 4 of 6", got)
	}
	if alone := Cluster(after, before, nil); alone.Sizes != nil || alone.Shared() != 0 || alone.summary() != nil {
		t.Errorf("%+v", alone)
	}
}

// TestStandardErrorByHand: three clusters of two, sums 2, 0, -1, mean 1/6: residuals 2 - 1/3, -1/3, -4/3.
func TestStandardErrorByHand(t *testing.T) {
	c := Clusters{Counts{2, 1, 6}, []int{2, 2, 2}, []int{2, 0, -1}}
	want := math.Sqrt((25.0/9+1.0/9+16.0/9)/36) * math.Sqrt(3.0/2)
	if got := c.StandardError(); !near(got, want, 1e-12) {
		t.Errorf("%v, expected %v", got, want)
	}
	// Every item alone: the standard error of a mean, with and without the clusters written out.
	alone := Clusters{Counts: Counts{2, 1, 6}}
	if a, b := alone.StandardError(), alone.alone().StandardError(); !near(a, b, 1e-12) {
		t.Errorf("items alone: %v and %v", a, b)
	}
}

func TestSignFlipsEnumerateAllSigns(t *testing.T) {
	sums := []int{3, -1, 2, 2, 0, 1, -1}
	seen, extreme := 6, 0
	for signs := range 1 << len(sums) {
		sum := 0
		for i, s := range sums {
			if signs>>i&1 == 1 {
				s = -s
			}
			sum += s
		}
		if abs(sum) >= seen {
			extreme++
		}
	}
	c := Clusters{Counts: Counts{8, 2, 30}, Sizes: []int{5, 5, 5, 5, 4, 3, 3}, Sums: sums}
	if got, want := c.SignFlips(), float64(extreme)/float64(int(1)<<len(sums)); !near(got, want, 1e-12) {
		t.Errorf("p = %v, expected %v", got, want)
	}
	// Where every item stands alone it is McNemar's test.
	for _, counts := range []Counts{{10, 2, 40}, {0, 0, 40}, {5, 5, 40}, {70, 40, 400}} {
		if got, want := (Clusters{Counts: counts}).alone().SignFlips(), McNemar(counts); !near(got, want, 1e-9) {
			t.Errorf("%+v alone: p = %v, McNemar's is %v", counts, got, want)
		}
	}
}

// pairs draws n/2 clusters of two items that change together with the chance `together`.
func pairs(r *rand.Rand, n int, gain, loss, together float64) Clusters {
	one := func() int {
		switch u := r.Float64(); {
		case u < gain:
			return 1
		case u < gain+loss:
			return -1
		}
		return 0
	}
	c := Clusters{Counts: Counts{N: n}}
	for range n / 2 {
		a := one()
		b := a
		if r.Float64() >= together {
			b = one()
		}
		for _, d := range []int{a, b} {
			c.Gained, c.Lost = c.Gained+max(d, 0), c.Lost+max(-d, 0)
		}
		c.Sizes, c.Sums = append(c.Sizes, 2), append(c.Sums, a+b)
	}
	return c
}

// TestClusteredIntervalCoversWhenItemsComeInPairs: pairs that always change together make Tango's interval too narrow; the clustered one
// decides and covers.
func TestClusteredIntervalCoversWhenItemsComeInPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const runs = 2000
	const gain, loss = 0.12, 0.08
	tango, clustered, effect := 0, 0, 0.0
	for range runs {
		c := pairs(r, 400, gain, loss, 1)
		p := ClusteredFamily([]Clusters{c})[0]
		if !p.Clustered.Decides {
			t.Fatal("all items share a cluster and the clustered interval does not decide")
		}
		if PairedScore(c.Counts).Contains(gain - loss) {
			tango++
		}
		if p.CI95.Contains(gain - loss) {
			clustered++
		}
		effect += p.Clustered.DesignEffect / runs
		if (p.P < Alpha) == p.CI95.Contains(0) {
			t.Fatalf("interval %v and p = %v contradict each other", p.CI95, p.P)
		}
		if narrow := PairedScore(c.Counts); p.CI95.Low > narrow.Low || p.CI95.High < narrow.High {
			t.Fatalf("the clustered interval %v is narrower than Tango's %v", p.CI95, narrow)
		}
	}
	if share := float64(clustered) / runs; share < 0.935 || share > 0.97 {
		t.Errorf("the clustered interval covers in %.1f %%", 100*share)
	}
	if share := float64(tango) / runs; share > 0.90 {
		t.Errorf("Tango's interval covers in %.1f %%: the example shows nothing", 100*share)
	}
	if math.Abs(effect-2) > 0.05 {
		t.Errorf("design effect %.2f, expected 2", effect)
	}
}

func TestClustersDecideAboveATenthOfTheItems(t *testing.T) {
	test := func(mates int) *Clustered {
		c := Clusters{Counts: Counts{30, 10, 400}}.alone()
		c.Sizes = c.Sizes[:400-mates/2]
		c.Sums = c.Sums[:400-mates/2]
		for i := range mates / 2 {
			c.Sizes[len(c.Sizes)-1-i] = 2
		}
		return ClusteredFamily([]Clusters{c})[0].Clustered
	}
	if c := test(40); c == nil || c.Decides {
		t.Errorf("40 of 400 items share a cluster: %+v, expected beside", c)
	}
	if c := test(42); c == nil || !c.Decides {
		t.Errorf("42 of 400 items share a cluster: %+v, expected to decide", c)
	}
	one := ClusteredFamily([]Clusters{{Counts{3, 1, 8}, []int{8}, []int{2}}})[0]
	if one.CI95 != (Interval{Low: -1, High: 1}) || one.P != 1 {
		t.Errorf("a single cluster: interval %v, p = %v, expected nothing shown", one.CI95, one.P)
	}
}
