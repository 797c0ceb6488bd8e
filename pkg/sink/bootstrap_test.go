package sink_test

import (
	"math"
	"testing"

	"github.com/attune-lab/attune/pkg/sink"
)

func TestIntervalCoversTheMean(t *testing.T) {
	values := make([]float64, 200)
	sum := 0.0
	for i := range values {
		values[i] = math.Sin(float64(i) * 1.7)
		sum += values[i]
	}
	ci := sink.Interval95(values, 1)
	// The mean's standard error is sd/sqrt(n) = 0.707/14.1 = 0.05; a 95 % interval is about 3.92 of them wide.
	if width := ci[1] - ci[0]; math.Abs(width-3.92*0.05) > 0.02 {
		t.Errorf("interval %v is %.3f wide, expected about 0.196", ci, width)
	}
	if m := sum / 200; ci[0] > m || ci[1] < m {
		t.Errorf("interval %v does not hold the mean %v", ci, m)
	}
	if again := sink.Interval95(values, 1); again != ci {
		t.Errorf("the same seed gives %v and %v", ci, again)
	}
	if one := sink.Interval95([]float64{3}, 1); one != [2]float64{3, 3} {
		t.Errorf("of one prompt the interval is %v", one)
	}
}

// TestRatioIntervalHoldsTheRatioOfSums: two prompts of very different weight; the ratio of their sums is 10/110, not the mean of 1 and 0.
func TestRatioIntervalHoldsTheRatioOfSums(t *testing.T) {
	found, all := []float64{10, 0}, []float64{10, 100}
	ci := sink.RatioInterval95(found, all, 1)
	if ci[0] != 0 || ci[1] != 1 {
		t.Errorf("of two prompts each may be drawn alone: interval %v, expected 0 to 1", ci)
	}
	for range 6 {
		found, all = append(found, found...), append(all, all...)
	}
	if ci = sink.RatioInterval95(found, all, 1); !(ci[0] > 0.05 && ci[0] < 10.0/110 && ci[1] > 10.0/110 && ci[1] < 0.15) {
		t.Errorf("interval %v of 128 prompts, expected around %g", ci, 10.0/110)
	}
}
