package stats_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/stats"
)

// Two arms and their comparison with the untouched model on 200 items, declared together.
func ExampleFamily() {
	family := stats.Family([]stats.Counts{
		{Gained: 24, Lost: 6, N: 200},
		{Gained: 5, Lost: 4, N: 200},
	})
	fmt.Println(family[0].Finding("released", "baseline", stats.Margin))
	fmt.Println(family[1].Finding("literal", "baseline", stats.Margin))
	// Output:
	// released against baseline: +9.0 points (95 % interval +3.9 to +14.7; +3.1 to +15.6 for all 2 comparisons together), 24 items gained and 6 lost of 200, p = 0.00102, 0.00203 after Holm's correction; 200 items could have shown 8.2 points with 80 % power: better.
	// literal against baseline: +0.5 points (95 % interval -2.9 to +4.0; -3.5 to +4.7 for all 2 comparisons together), 5 items gained and 4 lost of 200, p = 0.739, 0.739 after Holm's correction; 200 items could have shown 4.2 points with 80 % power: not shown.
}

func ExamplePairedScore() {
	ci := stats.PairedScore(stats.Counts{Gained: 0, Lost: 0, N: 50})
	fmt.Printf("no flips among 50 items: %+.3f to %+.3f\n", ci.Low, ci.High)
	ci = stats.PairedScore(stats.Counts{Gained: 1, Lost: 7, N: 21})
	fmt.Printf("1 gained, 7 lost of 21:  %+.3f to %+.3f\n", ci.Low, ci.High)
	// Output:
	// no flips among 50 items: -0.071 to +0.071
	// 1 gained, 7 lost of 21:  -0.517 to -0.026
}

// Does an arm help less on STEM items than on the others?
func ExampleInteraction() {
	nonSTEM := stats.Counts{Gained: 600, Lost: 500, N: 10889}
	stem := stats.Counts{Gained: 100, Lost: 180, N: 3153}
	difference, ci, p := stats.Interaction(nonSTEM, stem)
	fmt.Printf("%+.4f [%+.4f, %+.4f], p = %.2g\n", difference, ci.Low, ci.High, p)
	// Output: +0.0346 [+0.0227, +0.0467], p = 1.5e-08
}

// Items that share a passage: 40 passages of 3 questions each, which mostly change together.
func ExampleClusteredFamily() {
	var after, before []bool
	var passages []string
	for passage := range 40 {
		for question := range 3 {
			changed := passage%5 == 0 && question < 2
			after, before = append(after, changed), append(before, false)
			passages = append(passages, fmt.Sprint(passage))
		}
	}
	p := stats.ClusteredFamily([]stats.Clusters{stats.Cluster(after, before, passages)})[0]
	fmt.Printf("%.3f, by items p = %.1g, by passages p = %.1g, design effect %.2f, decides: %v\n", p.Difference, p.Exact, p.Clustered.P, p.Clustered.DesignEffect, p.Clustered.Decides)
	// Output: 0.133, by items p = 3e-05, by passages p = 0.008, design effect 1.88, decides: true
}

func ExampleWilson() {
	ci := stats.Wilson(81, 263)
	fmt.Printf("%.4f to %.4f\n", ci.Low, ci.High)
	// Output: 0.2553 to 0.3662
}

func ExamplePairedMean() {
	after, before := []float64{0.4, 0.5, 0.7, 0.6}, []float64{0.3, 0.4, 0.5, 0.6}
	c := stats.PairedMean(after, before, 1)
	fmt.Printf("%+.2f over %d prompts\n", c.Mean, c.N)
	// Output: +0.10 over 4 prompts
}

// 100 items, 4 sampled answers each: half of the items always right, half at even chances.
func ExampleVariation() {
	var samples [][]float64
	for i := range 100 {
		if i%2 == 0 {
			samples = append(samples, []float64{1, 1, 1, 1})
		} else {
			samples = append(samples, []float64{1, 0, 1, 0})
		}
	}
	v := stats.Variation(samples)
	fmt.Printf("mean %.2f, within items %.3f, between items %.3f\n", v.Mean, v.Within, v.Between)
	// Output: mean 0.75, within items 0.167, between items 0.021
}
