package plot_test

import (
	"bytes"
	"fmt"
	"image/png"
	"log"

	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
)

// A map of layers and heads on a fixed scale, so that two models' maps compare by eye.
func ExampleHeatmap() {
	sinks := [][]float64{{0.05, 0.10}, {0.62, 0.48}, {0.91, 0.87}} // [layers, heads]
	fig, err := plot.Heatmap{
		Values: sinks, Min: 0, Max: 1, Annotate: true,
		Title:  "Mean attention on position 0 (post-softmax, 32 prompts)",
		XLabel: "head", YLabel: "layer", ZLabel: "attention",
	}.PNG()
	if err != nil {
		log.Fatal(err)
	}
	img, err := png.DecodeConfig(bytes.NewReader(fig))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.Width, "pixels wide")
	// Output: 1800 pixels wide
}

// Differences of two arms from the baseline with their intervals, and what to print over each bar.
func ExampleBars() {
	fig, err := plot.Bars{
		Title:  "Accuracy against baseline (n = 200, paired bootstrap)",
		YLabel: "difference (points)",
		Groups: []string{"released", "literal"},
		Series: []plot.BarSeries{{
			Values: []float64{0.5, -2.5},
			Lo:     []float64{-1, -4}, Hi: []float64{2, -1},
			Labels: []string{"p = 0.61", "p = 0.004"},
		}},
	}.PNG()
	if err != nil {
		log.Fatal(err)
	}
	if err := report.DisplayPNG(fig); err != nil { // nothing outside a notebook
		log.Fatal(err)
	}
	fmt.Println(len(fig) > 0)
	// Output: true
}
