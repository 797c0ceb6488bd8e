package bench

import (
	"strings"
	"testing"
)

func TestNoSpeedIsToldOfTimesThatDoNotDiffer(t *testing.T) {
	if s, err := between([]float64{1, 2, 9}, []float64{3, 5, 6}, 8, 24); err != nil || s != 3 {
		t.Errorf("%g s (%v), expected 3: the difference of the medians", s, err)
	}
	for _, many := range []float64{2, 1.5} {
		if _, err := between([]float64{2}, []float64{many}, 8, 24); err == nil || !strings.Contains(err.Error(), "24 tokens") || !strings.Contains(err.Error(), "too few") {
			t.Errorf("24 tokens in %g s, 8 in 2 s: error %v", many, err)
		}
	}
}
