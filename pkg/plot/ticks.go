package plot

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"

	"github.com/attune-lab/attune/pkg/report"
)

// niceStep is the step of 1, 2 or 5 times a power of ten that cuts a range into at most n parts.
func niceStep(span float64, n int) float64 {
	raw := span / float64(max(n, 1))
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// niceTicks are the multiples of a nice step inside [lo, hi], and their labels with as many decimals as the
// step needs.
func niceTicks(lo, hi float64, n int) ([]float64, []string) {
	step := niceStep(hi-lo, n)
	first := math.Ceil(lo/step - 1e-9)
	last := math.Floor(hi/step + 1e-9)
	var values []float64
	var labels []string
	for i := 0; i <= 2*n; i++ { // counted, because k+1 == k beyond 2^53
		k := first + float64(i)
		if !(k <= last) {
			break
		}
		values = append(values, k*step)
		labels = append(labels, tickLabel(k*step, step))
	}
	return values, labels
}

// tickLabel writes a tick with the decimals of its step, and in scientific notation outside 1e-4..1e6.
func tickLabel(v, step float64) string {
	var s string
	switch a := math.Abs(v); {
	case a < step/2:
		return "0"
	case a >= 1e6 || step < 1e-4:
		digits := max(int(math.Round(math.Floor(math.Log10(a))-math.Floor(math.Log10(step)))), 0)
		s = strconv.FormatFloat(v, 'e', digits, 64)
	default:
		s = strconv.FormatFloat(v, 'f', max(int(-math.Floor(math.Log10(step)+1e-9)), 0), 64)
	}
	return report.Minus(s)
}

// ticker gives gonum's axes the same ticks.
func ticker(n int) plot.Ticker {
	return plot.TickerFunc(func(lo, hi float64) []plot.Tick {
		values, labels := niceTicks(lo, hi, n)
		ticks := make([]plot.Tick, len(values))
		for i := range values {
			ticks[i] = plot.Tick{Value: values[i], Label: labels[i]}
		}
		return ticks
	})
}

// stride thins n labels that need `need` pixels each to what fits into `each` pixels per label: the smallest
// of 1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, then doublings.
func stride(need, each float64) int {
	if each <= 0 {
		return math.MaxInt32
	}
	for _, s := range []int{1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100} {
		if float64(s)*each >= need {
			return s
		}
	}
	s := 200
	for float64(s)*each < need {
		s *= 2
	}
	return s
}

// span is the range of the finite values; ok is false without any.
func span(rows ...[]float64) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, row := range rows {
		for _, v := range row {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	return lo, hi, lo <= hi
}

// widen gives a range without extent one.
func widen(lo, hi float64) (float64, float64) {
	if hi-lo > 1e-12*max(math.Abs(lo), math.Abs(hi)) {
		return lo, hi
	}
	d := max(math.Abs(lo)*0.1, 0.5)
	return lo - d, hi + d
}
