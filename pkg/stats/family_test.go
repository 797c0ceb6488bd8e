package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Expected values: R's p.adjust(p, "holm").
func TestHolmGivesPublishedAdjustments(t *testing.T) {
	tests := []struct{ p, adjusted []float64 }{
		{nil, nil},
		{[]float64{0.03}, []float64{0.03}},
		{[]float64{0.01, 0.02, 0.03, 0.04}, []float64{0.04, 0.06, 0.06, 0.06}},
		{[]float64{0.04, 0.01, 0.03, 0.005}, []float64{0.06, 0.03, 0.06, 0.02}},
		{[]float64{0.6, 0.5, 1}, []float64{1, 1, 1}},
	}
	for _, test := range tests {
		for i, adjusted := range holm(test.p) {
			if !near(adjusted, test.adjusted[i], 1e-12) {
				t.Errorf("%v: adjusted %v, expected %v", test.p, holm(test.p), test.adjusted)
				break
			}
		}
	}
}

func TestFamilyAdjustsOverAllOfItsMembers(t *testing.T) {
	cs := []Counts{{24, 6, 200}, {5, 4, 200}, {15, 2, 200}}
	family := Family(cs)
	p := make([]float64, len(cs))
	for i, c := range cs {
		p[i] = ScoreTest(c)
	}
	for i, adjusted := range holm(p) {
		f := family[i]
		if f.Adjusted != adjusted || f.P != p[i] || f.Family != 3 || f.Counts != cs[i] {
			t.Errorf("%+v: %+v, expected p %v and %v after Holm", cs[i], f, p[i], adjusted)
		}
		if f.CI95 != PairedScore(cs[i]) || f.CIFamily != PairedScoreAt(cs[i], 0.05/3) || f.CIOneSided != PairedScoreAt(cs[i], 0.10/3) {
			t.Errorf("%+v: intervals %+v", cs[i], f)
		}
		if alone := Family(cs[i : i+1])[0]; alone.Detectable >= f.Detectable || alone.CIFamily != alone.CI95 {
			t.Errorf("%+v: alone %v can be shown, in the family %v: expected more", cs[i], alone.Detectable, f.Detectable)
		}
	}
}

// TestDetectableIsDetectedInEightyPercent simulates runs under the stated assumptions: n items, the discordant share max(observed, d), the
// other comparisons null. A run detects the difference where Holm's first step does.
func TestDetectableIsDetectedInEightyPercent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const runs = 4000
	for _, n := range []int{50, 200, 900, 3153, 14042} {
		for _, flips := range []float64{0, 0.02, 0.10, 0.4} {
			for _, family := range []int{1, 8} {
				seen := make([]Counts, family)
				for i := range seen {
					seen[i] = Counts{int(flips * float64(n) / 2), int(flips*float64(n)+0.5) - int(flips*float64(n)/2), n}
				}
				d := Family(seen)[0].Detectable
				if d <= 0 || d > 1 {
					t.Fatalf("n = %d, %v flips, family of %d: detectable %v", n, flips, family, d)
				}
				f := max(float64(seen[0].Gained+seen[0].Lost)/float64(n), d)
				detected := 0
				for range runs {
					changed := draw(r, n, f)
					gained := draw(r, changed, (f+d)/(2*f))
					if c := (Counts{gained, changed - gained, n}); c.Difference() > 0 && ScoreTest(c) < Alpha/float64(family) {
						detected++
					}
				}
				if share := float64(detected) / runs; share < 0.77 || share > 0.83 {
					t.Errorf("n = %d, %v flips, family of %d: %.1f points are detected in %.1f %% of runs", n, flips, family, 100*d, 100*share)
				}
			}
		}
	}
}

// draw is a binomial number: by the normal quantile of large samples no exactness is lost that the tolerance could see, but sums of
// Bernoulli draws would take most of the test's time.
func draw(r *rand.Rand, n int, p float64) int {
	mean, variance := float64(n)*p, float64(n)*p*(1-p)
	if variance > 200 {
		return min(n, max(0, int(math.Round(mean+math.Sqrt(variance)*r.NormFloat64()))))
	}
	if p > 0.5 {
		return n - draw(r, n, 1-p)
	}
	// Geometric gaps between successes.
	count, at, logQ := 0, 0, math.Log1p(-p)
	if p <= 0 {
		return 0
	}
	for {
		at += 1 + int(math.Log(1-r.Float64())/logQ)
		if at > n {
			return count
		}
		count++
	}
}

func TestNothingIsDetectableWithTooFewItems(t *testing.T) {
	// Three gains of three items: z = 1.73. Nothing can be shown; with four, z = 2.
	if p := Family([]Counts{{0, 0, 3}})[0]; p.Detectable != 0 || p.Word(0) != string(TooFew) || !strings.Contains(p.Finding("a", "b", 0), "no difference could have been shown with 3 items") {
		t.Errorf("%v, %s", p.Detectable, p.Finding("a", "b", 0))
	}
	if p := Family([]Counts{{0, 0, 4}})[0]; p.Detectable < 0.9 || p.Detectable > 1 {
		t.Errorf("4 items: %v can be shown, expected nearly everything", p.Detectable)
	}
	if p := Family(make([]Counts, 100)); len(p) != 100 || p[0].Detectable != 0 {
		t.Errorf("no items: %+v", p[0])
	}
}

// TestConnorsFormula gives what method.md's tasks can show at 10 % flips in a single comparison.
func TestConnorsFormula(t *testing.T) {
	for _, test := range []struct {
		n      int
		points float64
		digit  float64
	}{{14042, 0.75, 0.005}, {3153, 1.6, 0.05}, {1838, 2.1, 0.05}} {
		if got := 100 * connor(test.n, 0.1, Alpha); math.Abs(got-test.points) > test.digit {
			t.Errorf("n = %d: %.3f points, expected %v", test.n, got, test.points)
		}
	}
}

func TestWordsFollowTheRule(t *testing.T) {
	tests := []struct {
		c    Counts
		word string
	}{
		{Counts{30, 5, 200}, "better"},
		{Counts{5, 30, 200}, "worse"},
		{Counts{6, 5, 200}, "not shown"},
		{Counts{0, 0, 200}, "not shown"}, // the interval is 1.9 points each way
		{Counts{0, 0, 2000}, "equivalent within 1 point"},
		{Counts{10, 9, 5000}, "equivalent within 1 point"},
		{Counts{60, 30, 14042}, "better, but by less than 1 point"},
		{Counts{30, 60, 14042}, "worse, but by less than 1 point"},
		{Counts{3, 0, 3}, "too few items to show anything"},
	}
	for _, test := range tests {
		p := Family([]Counts{test.c})[0]
		if got := p.Word(0); got != test.word {
			t.Errorf("%+v (p %v, one-sided %v): %q, expected %q", test.c, p.P, p.CIOneSided, got, test.word)
		}
	}
	if got := Family([]Counts{{0, 0, 200}})[0].Word(0.025); got != "equivalent within 2.5 points" {
		t.Errorf("margin of 2.5 points: %q", got)
	}
	// One of eight: what is shown alone is not shown in the family.
	family := Family([]Counts{{15, 5, 200}, {4, 4, 200}, {4, 4, 200}, {4, 4, 200}, {4, 4, 200}, {4, 4, 200}, {4, 4, 200}, {4, 4, 200}})
	if family[0].P >= Alpha || family[0].Word(0) != "not shown" {
		t.Errorf("p = %v, adjusted %v: %q", family[0].P, family[0].Adjusted, family[0].Word(0))
	}
	if p := Outside(Clusters{Counts: Counts{30, 5, 200}}); p.Word(0) != "" || strings.Contains(p.Finding("a", "b", 0), "p =") || p.CI95 != PairedScore(p.Counts) {
		t.Errorf("outside the family: %q, %s", p.Word(0), p.Finding("a", "b", 0))
	}
}
