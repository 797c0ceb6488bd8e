package stats

import (
	"encoding/json"
	"math"
	"testing"
)

func near(a, b, relative float64) bool {
	return a == b || math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

// Expected values: exact rational arithmetic (Python's fractions and math.comb).
func TestAboveChanceIsExact(t *testing.T) {
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
	var choices []int
	exact := []float64{1} // P[so many right], item by item
	for i := range 60 {
		choices = append(choices, 2+i%3)
		p := 1 / float64(2+i%3)
		next := make([]float64, len(exact)+1)
		for k, q := range exact {
			next[k] += q * (1 - p)
			next[k+1] += q * p
		}
		exact = next
	}
	chance := ChanceLevel(choices)
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

func TestChanceLevelOfOpenAnswersIsZero(t *testing.T) {
	if got := ChanceLevel([]int{4, 0}); got != 0.125 {
		t.Errorf("one item of 4 choices and an open one: %v, expected 0.125", got)
	}
	if got := ChanceLevel(nil); got != 0 {
		t.Errorf("no items: %v", got)
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
		if math.Abs(got.Low-test.low) > 5e-5 || math.Abs(got.High-test.high) > 5e-5 {
			t.Errorf("%d of %d: %.4f, expected [%.4f, %.4f]", test.k, test.n, got, test.low, test.high)
		}
	}
	if got := Wilson(20, 20); got.High != 1 || math.Abs(got.Low-(1-0.1611)) > 5e-5 {
		t.Errorf("20 of 20: %v, expected the mirror image of 0 of 20", got)
	}
	if got := Wilson(0, 0); got != (Interval{Low: 0, High: 1}) {
		t.Errorf("0 of 0: %v, expected everything", got)
	}
}

func TestIntervalIsAnArrayInJSON(t *testing.T) {
	text, err := json.Marshal(struct{ CI95 Interval }{Interval{Low: -0.5, High: 0.25}})
	if err != nil || string(text) != `{"CI95":[-0.5,0.25]}` {
		t.Errorf("%s, %v", text, err)
	}
	var back Interval
	if err := json.Unmarshal([]byte("[0.1, 0.2]"), &back); err != nil || back != (Interval{Low: 0.1, High: 0.2}) {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"[0.1]", "[1, 2, 3]", `"x"`, "{}"} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read as an interval", bad)
		}
	}
}
