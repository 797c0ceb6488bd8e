package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Published intervals. The first: Fagerland, Lydersen, Laake, "Recommended tests and confidence intervals for paired binomial
// proportions", Statistics in Medicine 33 (2014), airway hyper-responsiveness, "Tango asymptotic score". The second: output of R's
// PropCIs::scoreci.mp(25, 28, 618) at 90 %. Then Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample design", Statistics
// in Medicine 17: Table VII at 95 %, Table V at 90 %; and Agresti and Min (2005), all three as R's ratesci tests them. The last two: no flips, +-z^2/(n + z^2).
func TestPairedScoreGivesPublishedIntervals(t *testing.T) {
	tests := []struct {
		c         Counts
		level     float64
		low, high float64
		digit     float64
	}{
		{Counts{1, 7, 21}, 0.05, -0.517, -0.026, 5e-4},
		{Counts{28, 25, 618}, 0.10, -0.0148, 0.0247, 5e-5},
		{Counts{9, 3, 32}, 0.05, -0.027, 0.390, 5e-4},
		{Counts{0, 1, 44}, 0.10, -0.096, 0.037, 5e-4},
		{Counts{16, 8, 86}, 0.05, -0.020, 0.207, 5e-4},
		{Counts{0, 0, 50}, 0.05, -0.0713, 0.0713, 5e-5},
		{Counts{0, 0, 2}, 0.05, -0.6576, 0.6576, 5e-5},
	}
	for _, test := range tests {
		got := PairedScoreAt(test.c, test.level)
		if math.Abs(got.Low-test.low) > test.digit || math.Abs(got.High-test.high) > test.digit {
			t.Errorf("%+v: [%.4f, %.4f], expected [%v, %v]", test.c, got.Low, got.High, test.low, test.high)
		}
	}
}

// TestPairedScoreSolvesItsEquation: the constrained likelihood is maximised by brute force instead of by the quadratic.
func TestPairedScoreSolvesItsEquation(t *testing.T) {
	statistic := func(c Counts, delta float64) float64 {
		logLikelihood := func(q float64) float64 {
			p := q + delta
			rest := 1 - q - p
			if p < 0 || rest < 0 {
				return math.Inf(-1)
			}
			sum := 0.0
			for _, cell := range []struct {
				count int
				p     float64
			}{{c.Gained, p}, {c.Lost, q}, {c.N - c.Gained - c.Lost, rest}} {
				if cell.count > 0 {
					sum += float64(cell.count) * math.Log(cell.p)
				}
			}
			return sum
		}
		low, high := max(0, -delta), (1-delta)/2
		for range 200 { // ternary search: the log-likelihood is concave
			a, b := low+(high-low)/3, high-(high-low)/3
			if logLikelihood(a) < logLikelihood(b) {
				low = a
			} else {
				high = b
			}
		}
		q := (low + high) / 2
		n := float64(c.N)
		return (float64(c.Gained-c.Lost) - n*delta) / math.Sqrt(n*(2*q+delta-delta*delta))
	}
	for _, c := range []Counts{{9, 1, 50}, {1, 9, 50}, {30, 12, 200}, {3, 0, 100}, {0, 4, 20}, {700, 640, 14042}, {11, 2, 14}} {
		ci := PairedScore(c)
		for _, end := range []struct{ delta, z float64 }{{ci.Low, 1.959963984540054}, {ci.High, -1.959963984540054}} {
			if got := statistic(c, end.delta); math.Abs(got-end.z) > 1e-4 {
				t.Errorf("%+v: T(%v) = %v, expected %v", c, end.delta, got, end.z)
			}
		}
	}
}

// TestPairedScoreExcludesZeroExactlyWhereTheScoreTestRejects goes through every sample of up to 30 items, and flips of larger ones.
func TestPairedScoreExcludesZeroExactlyWhereTheScoreTestRejects(t *testing.T) {
	check := func(c Counts, level float64) {
		ci := PairedScoreAt(c, level)
		if rejected := ScoreTest(c) < level; rejected == ci.Contains(0) {
			t.Errorf("%+v at %v: interval [%v, %v], p = %v", c, level, ci.Low, ci.High, ScoreTest(c))
		}
		if !ci.Contains(c.Difference()) || ci.Low < -1 || ci.High > 1 || ci.Low == ci.High {
			t.Errorf("%+v at %v: interval [%v, %v] around %v", c, level, ci.Low, ci.High, c.Difference())
		}
		if mirror := PairedScoreAt(Counts{c.Lost, c.Gained, c.N}, level); mirror.Low != -ci.High || mirror.High != -ci.Low {
			t.Errorf("%+v: [%v, %v], mirrored [%v, %v]", c, ci.Low, ci.High, mirror.Low, mirror.High)
		}
	}
	for _, n := range []int{1, 2, 5, 10, 30} {
		for gained := 0; gained <= n; gained++ {
			for lost := 0; gained+lost <= n; lost++ {
				check(Counts{gained, lost, n}, 0.05)
				check(Counts{gained, lost, n}, 0.05/8)
			}
		}
	}
	for gained := range 60 {
		for lost := range 60 {
			check(Counts{gained, lost, 14042}, 0.05)
		}
	}
}

func TestImpossibleCountsExcludeNothing(t *testing.T) {
	for _, c := range []Counts{{}, {3, 3, 5}, {-1, 0, 5}, {0, 0, -2}} {
		if got := PairedScore(c); got != (Interval{Low: -1, High: 1}) {
			t.Errorf("%+v: %v", c, got)
		}
		if got := Equivalence(c, 0.01); got != 1 {
			t.Errorf("%+v: equivalence p = %v", c, got)
		}
		p := Family([]Counts{c})[0]
		if p.P != 1 || p.Adjusted != 1 || p.Detectable != 0 || p.Word(0) != string(TooFew) {
			t.Errorf("%+v: %+v, %q", c, p, p.Word(0))
		}
	}
}

// TestPairedScoreCovers enumerates all samples: the interval holds the true difference with 93.5 to 99 %.
func TestPairedScoreCovers(t *testing.T) {
	for _, n := range []int{50, 100, 1000} {
		for _, p := range []struct{ gain, loss float64 }{{0.03, 0.01}, {0.10, 0.10}} {
			covered := 0.0
			for flips := 0; flips <= n; flips++ {
				outer := binomialMass(flips, n, p.gain+p.loss)
				if outer < 1e-9 {
					continue
				}
				for gained := 0; gained <= flips; gained++ {
					mass := outer * binomialMass(gained, flips, p.gain/(p.gain+p.loss))
					if mass > 1e-9 && PairedScore(Counts{gained, flips - gained, n}).Contains(p.gain-p.loss) {
						covered += mass
					}
				}
			}
			t.Logf("n = %d, %v %% gained, %v %% lost: %.2f %%", n, 100*p.gain, 100*p.loss, 100*covered)
			if covered < 0.935 || covered > 0.99 {
				t.Errorf("n = %d, %v %% gained, %v %% lost: coverage %.2f %%, expected 93.5 to 99", n, 100*p.gain, 100*p.loss, 100*covered)
			}
		}
	}
}

// Expected values: exact rational arithmetic (Python's fractions and math.comb).
func TestMcNemarIsExact(t *testing.T) {
	tests := []struct {
		gained, lost int
		p            float64
	}{
		{0, 0, 1},
		{1, 0, 1},
		{5, 5, 1},
		{10, 2, 0.03857421875}, // 2 (1 + 12 + 66) / 4096 by hand
		{2, 10, 0.03857421875},
		{6, 0, 0.03125},                  // 2 / 64 by hand
		{150, 86, 3.715936139571442e-05}, // Agresti's approval ratings
		{59, 6, 4.964650327128617e-12},
		{700, 640, 0.10697992524490955},
		{900, 600, 9.509594050178438e-15},
		{122, 7, 3.112832046645853e-28},
	}
	for _, test := range tests {
		if p := McNemar(Counts{test.gained, test.lost, 20000}); !near(p, test.p, 1e-9) {
			t.Errorf("gained %d, lost %d: p = %v, expected %v", test.gained, test.lost, p, test.p)
		}
	}
	if p := McNemar(Counts{14042, 0, 14042}); p < 0 || p > 1e-300 {
		t.Errorf("every item gained: p = %v, expected next to nothing and no NaN", p)
	}
}

// Published p-values of the three tests: Fagerland, Lydersen, Laake, BMC Medical Research Methodology 13 (2013), airway
// hyper-responsiveness; and the counts of Agresti's approval ratings (Categorical Data Analysis, section 11.1).
func TestMcNemarsThreeTestsOnPublishedExamples(t *testing.T) {
	c := Counts{1, 7, 21}
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"score", ScoreTest(c), 0.0339}, {"exact", McNemar(c), 0.0703}, {"mid-p", McNemarMidP(c), 0.0391},
	} {
		if math.Abs(test.got-test.want) > 5e-5 {
			t.Errorf("%s: p = %.5f, published is %v", test.name, test.got, test.want)
		}
	}
	if z := (Counts{150, 86, 1600}).scoreAt(0); math.Abs(z-4.166) > 5e-4 {
		t.Errorf("approval ratings: z = %.4f, expected (150 - 86)/sqrt(236) = 4.166", z)
	}
	if p := McNemarMidP(Counts{2, 2, 9}); math.Abs(p-(1-0.5*6/16)) > 1e-12 {
		t.Errorf("as many gained as lost: mid-p %v", p)
	}
	if p := McNemarMidP(Counts{0, 0, 9}); p != 1 {
		t.Errorf("no flips: mid-p %v", p)
	}
}

func TestEquivalenceIsTheNinetyPercentIntervalWithinTheMargin(t *testing.T) {
	shown := 0
	for _, n := range []int{300, 2000, 14042} {
		for gained := range 40 {
			for lost := range 40 {
				c := Counts{gained, lost, n}
				within := PairedScoreAt(c, 0.10).Within(0.01)
				if got := Equivalence(c, 0.01) < 0.05; got != within {
					t.Errorf("%+v: p = %v, 90 %% interval %v", c, Equivalence(c, 0.01), PairedScoreAt(c, 0.10))
				}
				if within {
					shown++
				}
			}
		}
	}
	if shown < 1000 {
		t.Errorf("only %d samples were equivalent: the test compares too little", shown)
	}
	if Equivalence(Counts{0, 0, 10}, 0.01) < 0.3 {
		t.Error("ten items without a flip are shown to be equivalent within 1 point")
	}
}

// TestEquivalenceKeepsItsSize: an effect exactly as large as the margin is called smaller in at most 5 % of samples (both ends), and one of
// nothing in most.
func TestEquivalenceKeepsItsSize(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	const runs, margin = 20000, 0.01
	for _, n := range []int{3153, 14042} {
		for _, flips := range []float64{0.04, 0.10} {
			shown := map[float64]int{}
			for _, effect := range []float64{-margin, 0, margin} {
				for range runs {
					if Equivalence(sample(r, n, flips, effect), margin) < Alpha {
						shown[effect]++
					}
				}
			}
			for _, end := range []float64{-margin, margin} {
				if share := float64(shown[end]) / runs; share > 0.056 {
					t.Errorf("n = %d, %v flips: an effect of the margin is called smaller in %.1f %%", n, flips, 100*share)
				}
			}
			if share := float64(shown[0]) / runs; n == 14042 && share < 0.9 {
				t.Errorf("n = %d, %v flips: no effect is shown to be small in %.1f %% only", n, flips, 100*share)
			}
		}
	}
}

func TestCountPairsOutcomes(t *testing.T) {
	after, before := []bool{true, true, false, false, true}, []bool{true, false, true, false, false}
	if got := Count(after, before); got != (Counts{2, 1, 5}) {
		t.Errorf("%+v, expected 2 gained, 1 lost of 5", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("outcomes of different items were compared")
		}
	}()
	Count(after, before[:3])
}
