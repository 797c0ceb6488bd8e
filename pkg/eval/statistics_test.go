package eval

import (
	"math"
	"testing"
)

func near(a, b, relative float64) bool {
	return a == b || math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

// Expected values: exact rational arithmetic (Python's fractions and math.comb).
func TestMcNemarExact(t *testing.T) {
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
	}
	for _, test := range tests {
		if p := McNemarExact(test.gained, test.lost); !near(p, test.p, 1e-9) {
			t.Errorf("gained %d, lost %d: p = %v, expected %v", test.gained, test.lost, p, test.p)
		}
	}
	if p := McNemarExact(14042, 0); p < 0 || p > 1e-300 {
		t.Errorf("every item gained: p = %v, expected next to nothing and no NaN", p)
	}
}

func TestAboveChance(t *testing.T) {
	tests := []struct {
		k, n   int
		chance float64
		p      float64
	}{
		{3, 10, 0.25, 0.4744071960449219},
		{0, 10, 0.25, 1},
		{10, 10, 0.25, 9.5367431640625e-07}, // 4^-10
		{60, 200, 0.25, 0.062472231056464045},
		{690, 1954, 1.0 / 3, 0.03395642486271199}, // SIQA's size
		{651, 1954, 1.0 / 3, 0.5148876834464777},
		{3600, 14042, 0.25, 0.04170000535040471}, // MMLU's size
		{11, 10, 0.25, 0},
		{5, 10, 0, 0},
		{5, 10, 1, 1},
	}
	for _, test := range tests {
		if p := AboveChance(test.k, test.n, test.chance); !near(p, test.p, 1e-9) {
			t.Errorf("%d of %d at %v: p = %v, expected %v", test.k, test.n, test.chance, p, test.p)
		}
	}
}

// TestAboveChanceIsCarefulWithMixedItems compares with the exact distribution when items have different numbers of choices.
func TestAboveChanceIsCarefulWithMixedItems(t *testing.T) {
	var examples []Example
	for i := range 60 {
		examples = append(examples, Example{Choices: make([]string, 2+i%3)})
	}
	exact := []float64{1} // P[so many right], item by item
	for _, e := range examples {
		p := 1 / float64(len(e.Choices))
		next := make([]float64, len(exact)+1)
		for k, q := range exact {
			next[k] += q * (1 - p)
			next[k+1] += q * p
		}
		exact = next
	}
	chance := ChanceLevel(examples)
	if want := (1.0/2 + 1.0/3 + 1.0/4) / 3; !near(chance, want, 1e-12) {
		t.Fatalf("chance level %v, expected %v", chance, want)
	}
	for k := int(chance*60) + 2; k <= 60; k++ {
		tail := 0.0
		for _, q := range exact[k:] {
			tail += q
		}
		if p := AboveChance(k, 60, chance); p < tail*(1-1e-9) {
			t.Errorf("%d right: p = %v is below the exact %v", k, p, tail)
		}
	}
}

// Expected values: Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I, method 3.
func TestWilsonGivesNewcombesTable(t *testing.T) {
	tests := []struct {
		k, n      int
		low, high float64
	}{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0.0000, 0.1611},
		{1, 29, 0.0061, 0.1718},
	}
	for _, test := range tests {
		got := Wilson(test.k, test.n)
		if math.Abs(got[0]-test.low) > 5e-5 || math.Abs(got[1]-test.high) > 5e-5 {
			t.Errorf("%d of %d: %.4f, expected [%.4f, %.4f]", test.k, test.n, got, test.low, test.high)
		}
	}
	if got := Wilson(20, 20); got[1] != 1 || math.Abs(got[0]-(1-0.1611)) > 5e-5 {
		t.Errorf("20 of 20: %v, expected the mirror image of 0 of 20", got)
	}
	if got := Wilson(0, 0); got != [2]float64{0, 1} {
		t.Errorf("0 of 0: %v, expected everything", got)
	}
}

// Expected values: R's p.adjust(p, "holm").
func TestHolm(t *testing.T) {
	tests := []struct{ p, adjusted []float64 }{
		{nil, nil},
		{[]float64{0.03}, []float64{0.03}},
		{[]float64{0.01, 0.02, 0.03, 0.04}, []float64{0.04, 0.06, 0.06, 0.06}},
		{[]float64{0.04, 0.01, 0.03, 0.005}, []float64{0.06, 0.03, 0.06, 0.02}},
		{[]float64{0.6, 0.5, 1}, []float64{1, 1, 1}},
	}
	for _, test := range tests {
		for i, adjusted := range Holm(test.p) {
			if !near(adjusted, test.adjusted[i], 1e-12) {
				t.Errorf("%v: adjusted %v, expected %v", test.p, Holm(test.p), test.adjusted)
				break
			}
		}
	}
}

// The three numbers of method.md, section 5, in points.
func TestMinimumDetectableOfThePublicTasks(t *testing.T) {
	tests := []struct {
		task   string
		n      int
		points float64
		digit  float64 // half of the last digit that is stated
	}{
		{"all of MMLU", 14042, 0.75, 0.005},
		{"its STEM part", 3153, 1.6, 0.05},
		{"PIQA", 1838, 2.1, 0.05},
	}
	for _, test := range tests {
		if got := 100 * MinimumDetectable(test.n, DefaultFlips, DefaultPower); math.Abs(got-test.points) > test.digit {
			t.Errorf("%s: %.3f points, expected %v", test.task, got, test.points)
		}
	}
}

func TestMinimumDetectableSolvesItsEquation(t *testing.T) {
	const z975, z80 = 1.959963984540054, 0.8416212335729143 // standard normal quantiles, from a table
	for _, n := range []int{20, 100, 1000, 14042} {
		d := MinimumDetectable(n, 0.1, 0.8)
		flips := max(0.1, d)
		if right := z975*math.Sqrt(flips) + z80*math.Sqrt(flips-d*d); !near(d*math.Sqrt(float64(n)), right, 1e-9) {
			t.Errorf("n = %d: d = %v does not solve the equation", n, d)
		}
	}
	for _, n := range []int{0, 1, 3} {
		if d := MinimumDetectable(n, 0.1, 0.8); d != 1 {
			t.Errorf("n = %d: %v, expected 1: nothing can be shown", n, d)
		}
	}
}

// Expected values: quantiles of the exact distribution of the resampled difference, by convolution of n trinomials. 10,000
// resamples place a quantile to within one step of 1/n.
func TestPairedBootstrapGivesTheExactQuantiles(t *testing.T) {
	tests := []struct {
		n, gained, lost int
		low, high       float64
	}{
		{200, 30, 15, 0.01, 0.14},
		{100, 0, 0, 0, 0},
		{500, 20, 60, -0.114, -0.046},
		{50, 5, 0, 0.02, 0.18},
	}
	for _, test := range tests {
		for seed := range uint64(3) {
			got := PairedBootstrap(test.gained, test.lost, test.n, 0, seed)
			step := 1/float64(test.n) + 1e-12
			if math.Abs(got[0]-test.low) > step || math.Abs(got[1]-test.high) > step {
				t.Errorf("n=%d +%d -%d seed %d: %v, expected [%v, %v]", test.n, test.gained, test.lost, seed, got, test.low, test.high)
			}
		}
	}
	if a, b := PairedBootstrap(30, 15, 200, 500, 1), PairedBootstrap(30, 15, 200, 500, 1); a != b {
		t.Errorf("one seed gave %v and %v", a, b)
	}
	if got := PairedBootstrap(3, 3, 5, 0, 1); got != [2]float64{-1, 1} {
		t.Errorf("impossible counts gave %v", got)
	}
}

func BenchmarkPairedBootstrapMMLU(b *testing.B) {
	for b.Loop() {
		PairedBootstrap(700, 640, 14042, 0, 1)
	}
}
