package eval

import (
	"cmp"
	"slices"
)

// Holm adjusts a family of p-values so that the chance of any false rejection stays below the level. With the values
// in ascending order p_(1) <= ... <= p_(m),
//
//	adjusted_(i) = max_{j <= i} min(1, (m - j + 1) p_(j))
//
// The result is in the order of the input. It needs no assumption about how the tests depend on each other.
//
// Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted := make([]float64, len(p))
	largest := 0.0
	for rank, i := range order {
		largest = max(largest, min(1, float64(len(p)-rank)*p[i]))
		adjusted[i] = largest
	}
	return adjusted
}
