package train

import (
	"math"
	"testing"
)

func TestPermutationIsABijection(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 16, 17, 1000, 4096, 4097} {
		p, err := NewPermutation(n, 7, 2)
		if err != nil {
			t.Fatal(err)
		}
		seen := make([]bool, n)
		for place := range n {
			x := p.At(place)
			if x < 0 || x >= n || seen[x] {
				t.Fatalf("n = %d: place %d holds %d, out of range or twice", n, place, x)
			}
			seen[x] = true
		}
	}
}

// TestPermutationMixes: neighbours in the order are as far apart as chance has them (a third of n on average, and a correlation of 0 within 4 standard errors).
func TestPermutationMixes(t *testing.T) {
	const n = 10_007
	for epoch := range 3 {
		p, _ := NewPermutation(n, 1, epoch)
		distance, fixed := 0.0, 0
		for place := range n - 1 {
			distance += math.Abs(float64(p.At(place) - p.At(place+1)))
			if p.At(place) == place {
				fixed++
			}
		}
		if mean := distance / (n - 1) / n; math.Abs(mean-1.0/3) > 0.01 {
			t.Errorf("epoch %d: neighbours are %.3f n apart on average, expected 0.333 +- 0.01", epoch, mean)
		}
		if fixed > 8 { // Poisson with mean 1: more than 8 has probability 1e-6
			t.Errorf("epoch %d: %d of %d stayed in place", epoch, fixed, n)
		}
	}
}

func TestEpochsAndSeedsDiffer(t *testing.T) {
	order := func(seed uint64, epoch int) (list [50]int) {
		p, _ := NewPermutation(50, seed, epoch)
		for i := range list {
			list[i] = p.At(i)
		}
		return list
	}
	if order(1, 0) == order(1, 1) || order(1, 0) == order(2, 0) {
		t.Error("two epochs or two seeds have one order")
	}
	if order(1, 0) != order(1, 0) {
		t.Error("one seed and epoch have two orders")
	}
}
