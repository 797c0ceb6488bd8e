package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestInteractionByHand(t *testing.T) {
	a, b := Counts{30, 10, 200}, Counts{5, 15, 100}
	difference, ci, p := Interaction(a, b)
	da, db := 0.1, -0.1
	va, vb := (0.2-0.01)/200, (0.2-0.01)/100
	if !near(difference, 0.2, 1e-12) || !near(p, math.Erfc((da-db)/math.Sqrt(va+vb)/math.Sqrt2), 1e-12) {
		t.Errorf("%v, p = %v", difference, p)
	}
	ia, ib := PairedScore(a), PairedScore(b)
	low, high := 0.2-math.Hypot(da-ia.Low, ib.High-db), 0.2+math.Hypot(ia.High-da, db-ib.Low)
	if !near(ci.Low, low, 1e-12) || !near(ci.High, high, 1e-12) {
		t.Errorf("%v, expected [%v, %v]", ci, low, high)
	}
	if back, mirror, q := Interaction(b, a); back != -difference || mirror != (Interval{Low: -ci.High, High: -ci.Low}) || q != p {
		t.Errorf("swapped: %v %v %v", back, mirror, q)
	}
}

func TestInteractionAtTheEdges(t *testing.T) {
	if d, ci, p := Interaction(Counts{0, 0, 100}, Counts{0, 0, 50}); d != 0 || p != 1 || !ci.Contains(0) || ci.Low == ci.High {
		t.Errorf("no flips: %v %v %v", d, ci, p)
	}
	if _, ci, p := Interaction(Counts{}, Counts{3, 1, 10}); p != 1 || ci != (Interval{Low: -2, High: 2}) {
		t.Errorf("an empty group: %v, p = %v", ci, p)
	}
	if _, _, p := Interaction(Counts{5, 0, 5}, Counts{0, 0, 5}); math.IsNaN(p) || p == 0 {
		t.Errorf("all of 5 against none of 5: p = %v", p)
	}
}

// TestInteractionKeepsItsSize in groups of the sizes of MMLU's STEM and other subjects, which differ in their share of flips, with a
// common effect and without: a true null is rejected in 5 % of runs, and the interval covers in 95 %.
func TestInteractionKeepsItsSize(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const runs = 20000
	for _, effect := range []float64{0, 0.02} {
		for _, flips := range [][2]float64{{0.10, 0.04}, {0.04, 0.10}} {
			rejected, covered := 0, 0
			for range runs {
				a, b := sample(r, 3153, flips[0], effect), sample(r, 10889, flips[1], effect)
				_, ci, p := Interaction(a, b)
				if p < Alpha {
					rejected++
				}
				if ci.Contains(0) {
					covered++
				}
			}
			if share := float64(rejected) / runs; math.Abs(share-0.05) > 0.006 { // 4 standard errors
				t.Errorf("effect %v, flips %v: rejected in %.2f %%", effect, flips, 100*share)
			}
			if share := float64(covered) / runs; math.Abs(share-0.95) > 0.006 {
				t.Errorf("effect %v, flips %v: covered in %.2f %%", effect, flips, 100*share)
			}
		}
	}
}

func sample(r *rand.Rand, n int, flips, effect float64) Counts {
	changed := draw(r, n, flips)
	gained := draw(r, changed, (flips+effect)/(2*flips))
	return Counts{gained, changed - gained, n}
}

// TestClusteredInteractionKeepsItsSize: passages of two questions that always change together, groups of different size and different
// shares of flips.
func TestClusteredInteractionKeepsItsSize(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const runs, draws = 800, 199
	studentised, byItems := 0, 0
	for range runs {
		g := Groups{pairs(r, 120, 0.15, 0.15, 1), pairs(r, 480, 0.03, 0.03, 1)}
		if g.permute(draws, r.Uint64()) <= Alpha {
			studentised++
		}
		if _, _, p := Interaction(g.A.Counts, g.B.Counts); p < Alpha {
			byItems++
		}
	}
	if share := float64(studentised) / runs; math.Abs(share-0.05) > 0.025 {
		t.Errorf("the permutation of whole clusters rejects a true null in %.1f %%", 100*share)
	}
	if share := float64(byItems) / runs; share < 0.10 {
		t.Errorf("the test by items rejects in %.1f %%: the example shows nothing", 100*share)
	}
}

func TestInteractionFamilyCorrectsAndClusters(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	plain := Groups{Clusters{Counts: Counts{30, 10, 200}}, Clusters{Counts: Counts{5, 15, 100}}}
	clustered := Groups{pairs(r, 200, 0.2, 0.05, 1), pairs(r, 200, 0.05, 0.2, 1)}
	family := InteractionFamily([]Groups{plain, clustered, {Clusters{Counts: Counts{4, 4, 200}}, Clusters{Counts: Counts{2, 2, 100}}}}, 1)
	difference, ci, p := Interaction(plain.A.Counts, plain.B.Counts)
	if f := family[0]; f.Difference != difference || f.CI95 != ci || f.P != p || f.Adjusted < f.P || f.CIFamily.Low >= ci.Low || f.Family != 3 {
		t.Errorf("%+v, expected %v %v %v", f, difference, ci, p)
	}
	if f := family[1]; f.P > 0.01 || f.CI95.Contains(0) {
		t.Errorf("an effect of opposite sign: %+v", f)
	}
	_, narrow, _ := Interaction(clustered.A.Counts, clustered.B.Counts)
	if f := family[1]; f.CI95.Low > narrow.Low || f.CI95.High < narrow.High {
		t.Errorf("the clustered interval %v is narrower than %v", f.CI95, narrow)
	}
	again := InteractionFamily([]Groups{clustered}, 1)[0]
	if again.P != family[1].P {
		t.Errorf("one seed gives p = %v and %v", family[1].P, again.P)
	}
	if f := family[2]; f.P != 1 {
		t.Errorf("as much gained as lost in both groups: p = %v", f.P)
	}
}
