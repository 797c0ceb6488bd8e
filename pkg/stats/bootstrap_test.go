package stats

import (
	"math"
	"testing"
)

// Expected values: NumPy's quantile, method "linear".
func TestQuantileIsTypeSeven(t *testing.T) {
	values := []float64{1, 2, 4, 8, 16}
	for _, test := range []struct{ p, want float64 }{{0, 1}, {0.1, 1.4}, {0.25, 2}, {0.5, 4}, {0.9, 12.8}, {1, 16}, {-1, 1}, {2, 16}} {
		if got := Quantile(test.p, values); !near(got, test.want, 1e-12) {
			t.Errorf("%v: %v, expected %v", test.p, got, test.want)
		}
	}
	if !math.IsNaN(Quantile(0.5, nil)) {
		t.Error("a quantile of nothing is a number")
	}
}

func TestMeanIntervalIsAsWideAsTheStandardErrorSays(t *testing.T) {
	values := make([]float64, 200)
	sum := 0.0
	for i := range values {
		values[i] = math.Sin(float64(i) * 1.7)
		sum += values[i]
	}
	ci := MeanInterval(values, 1)
	// The mean's standard error is sd/sqrt(n) = 0.707/14.1 = 0.05; a 95 % interval is about 3.92 of them wide.
	if width := ci.High - ci.Low; math.Abs(width-3.92*0.05) > 0.02 {
		t.Errorf("interval %v is %.3f wide, expected about 0.196", ci, width)
	}
	if !ci.Contains(sum / 200) {
		t.Errorf("interval %v does not hold the mean %v", ci, sum/200)
	}
	if again := MeanInterval(values, 1); again != ci {
		t.Errorf("the same seed gives %v and %v", ci, again)
	}
	if one := MeanInterval([]float64{3}, 1); one != (Interval{Low: 3, High: 3}) {
		t.Errorf("of one unit the interval is %v", one)
	}
	if none := MeanInterval(nil, 1); !math.IsNaN(none.Low) || !math.IsNaN(none.High) {
		t.Errorf("of no unit the interval is %v", none)
	}
}

// TestRatioIntervalHoldsTheRatioOfSums: two units of very different weight; the ratio of their sums is 10/110, not the mean of 1 and 0.
func TestRatioIntervalHoldsTheRatioOfSums(t *testing.T) {
	found, all := []float64{10, 0}, []float64{10, 100}
	ci := RatioInterval(found, all, 1)
	if ci != (Interval{Low: 0, High: 1}) {
		t.Errorf("of two units each may be drawn alone: interval %v, expected 0 to 1", ci)
	}
	for range 6 {
		found, all = append(found, found...), append(all, all...)
	}
	if ci = RatioInterval(found, all, 1); !(ci.Low > 0.05 && ci.Low < 10.0/110 && ci.High > 10.0/110 && ci.High < 0.15) {
		t.Errorf("interval %v of 128 units, expected around %g", ci, 10.0/110)
	}
	if ci = RatioInterval([]float64{1}, []float64{0}, 1); ci != (Interval{}) {
		t.Errorf("nothing is divided by: %v", ci)
	}
}

func TestPairedMeanIsOfTheDifferences(t *testing.T) {
	before := []float64{1, 5, 9, 2, 7, 3}
	after := make([]float64, len(before))
	for i, b := range before {
		after[i] = b + 0.5
	}
	if got := PairedMean(after, before, 1); got != (Change{0.5, Interval{Low: 0.5, High: 0.5}, 6}) {
		t.Errorf("a constant shift: %+v", got)
	}
}

// TestPairedRatioWeighsDocumentsByTheirTokens: the losses of a short and a long document change by 2 and by 10 in all.
func TestPairedRatioWeighsDocumentsByTheirTokens(t *testing.T) {
	before, tokens := []float64{30, 300}, []float64{10, 100}
	got := PairedRatio([]float64{32, 310}, before, tokens, 1)
	if !near(got.Mean, 12.0/110, 1e-12) || got.N != 2 || !near(got.CI95.Low, 0.1, 1e-9) || !near(got.CI95.High, 0.2, 1e-9) {
		t.Errorf("%+v, expected 12/110 between 0.1 and 0.2", got)
	}
}

func TestVariationSeparatesItemsFromSamples(t *testing.T) {
	// Answers that depend on the item alone: all variance is between items. Answers that never depend on it: none is.
	fixed := Variation([][]float64{{1, 1, 1}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}})
	if fixed.Within != 0 || !near(fixed.Between, 1.0/3, 1e-12) || fixed.Mean != 0.5 {
		t.Errorf("%+v", fixed)
	}
	random := Variation([][]float64{{1, 0}, {0, 1}, {1, 0}})
	if random.Within != 0.5 || random.Between != 0 {
		t.Errorf("%+v", random)
	}
	if got := Variation([][]float64{nil, {1}}); got != (Spread{Mean: 1}) {
		t.Errorf("one answer in all: %+v", got)
	}
}
