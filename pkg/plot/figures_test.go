package plot_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/attune-lab/attune/pkg/plot"
)

// TestWriteSamples writes one figure of each kind to look at into the folder that ATTUNE_PLOT_SAMPLES names.
func TestWriteSamples(t *testing.T) {
	dir := os.Getenv("ATTUNE_PLOT_SAMPLES")
	if dir == "" {
		t.Skip("set ATTUNE_PLOT_SAMPLES to a folder to write sample figures there")
	}
	for name, draw := range samples() {
		png, err := draw()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// samples are the figures a recipe draws, with invented numbers.
func samples() map[string]func() ([]byte, error) {
	rng := rand.New(rand.NewPCG(1, 2))
	matrix := func(rows, cols int, f func(i, j int) float64) [][]float64 {
		m := make([][]float64, rows)
		for i := range m {
			m[i] = make([]float64, cols)
			for j := range m[i] {
				m[i][j] = f(i, j)
			}
		}
		return m
	}
	tokens := []string{"<s>", "Question", ":", " A", " 3", " kg", " cart", "\n", "Options", ":", "\t", "▁the", " ",
		"中", "é", "\x00", "\xff", "😀", "Ġword", " a rather long token that no vocabulary has, but who knows"}
	attention := matrix(len(tokens), len(tokens), func(i, j int) float64 {
		if j > i {
			return math.NaN()
		}
		return rng.Float64() / float64(i+1)
	})
	sinks := matrix(32, 32, func(i, j int) float64 { return math.Min(1, float64(i)/32+0.3*rng.Float64()) })
	small := matrix(5, 8, func(i, j int) float64 { return rng.Float64() })
	small[2][3] = math.NaN()
	received := matrix(5, len(tokens), func(i, j int) float64 { return rng.Float64() })
	diff := matrix(6, 8, func(i, j int) float64 { return rng.NormFloat64() * 0.02 })

	var steps, loss, lo, hi, val []float64
	for i := range 200 {
		l := 0.8 + 2.2*math.Exp(-float64(i)/40) + 0.05*rng.NormFloat64()
		steps, loss, lo, hi = append(steps, float64(i*10)), append(loss, l), append(lo, l-0.15), append(hi, l+0.15)
		val = append(val, l+0.2)
	}
	val[100] = math.NaN()
	arms := []string{"baseline", "released", "literal", "first-release"}
	groups := []string{"all", "STEM", "not STEM", "conditional probability", "mechanics"}
	var series []plot.BarSeries
	for _, a := range arms {
		s := plot.BarSeries{Name: a}
		for range groups {
			v := 0.3 + 0.4*rng.Float64()
			s.Values, s.Lo, s.Hi = append(s.Values, v), append(s.Lo, v-0.08), append(s.Hi, v+0.07)
		}
		series = append(series, s)
	}
	return map[string]func() ([]byte, error){
		"heat-32x32": func() ([]byte, error) {
			return plot.Heatmap{Values: sinks, Title: "Mean attention received by position 0, per layer and head (post-softmax, T = 64, 32 prompts)",
				XLabel: "head", YLabel: "layer", ZLabel: "attention on position 0", Min: 0, Max: 1}.PNG()
		},
		"heat-5x8": func() ([]byte, error) {
			return plot.Heatmap{Values: small, Title: "Sink map", XLabel: "head", YLabel: "layer", ZLabel: "mass on position 0", Annotate: true, Max: 0.9}.PNG()
		},
		"heat-diff": func() ([]byte, error) {
			return plot.Heatmap{Values: diff, Title: "Change of attention under emulation", XLabel: "head", YLabel: "layer", ZLabel: "difference", Palette: plot.Diverging}.PNG()
		},
		"heat-tokens": func() ([]byte, error) {
			return plot.Heatmap{Values: attention, RowLabels: tokens, ColLabels: tokens, Title: "Attention of layer 1, head 3", XLabel: "key", YLabel: "query", ZLabel: "probability"}.PNG()
		},
		"heat-layer-tokens": func() ([]byte, error) {
			return plot.Heatmap{Values: received, ColLabels: tokens, Title: "Received attention", XLabel: "token", YLabel: "layer", ZLabel: "received"}.PNG()
		},
		"heat-256": func() ([]byte, error) {
			return plot.Heatmap{Values: matrix(256, 256, func(i, j int) float64 { return math.Sin(float64(i*j) / 3000) }), XLabel: "key", YLabel: "query"}.PNG()
		},
		"curves": func() ([]byte, error) {
			return plot.Curves{Title: "Loss", XLabel: "step", YLabel: "cross entropy (nats per token)", Series: []plot.Series{
				{Name: "train", X: steps, Y: loss, Lo: lo, Hi: hi}, {Name: "held-out", X: steps, Y: val}},
				References: []plot.Reference{{Label: "uniform over 4 options", Y: math.Log(4)}}}.PNG()
		},
		"curve-points": func() ([]byte, error) {
			return plot.Curves{Title: "Sink rate over context length", XLabel: "tokens", YLabel: "sink rate (%)", Series: []plot.Series{
				{Name: "baseline", X: []float64{16, 32, 64, 128}, Y: []float64{40, 30, 22, 10}, Lo: []float64{35, 26, 18, 5}, Hi: []float64{45, 35, 26, 15}}}}.PNG()
		},
		"bars": func() ([]byte, error) {
			return plot.Bars{Title: "Accuracy on held-out items, n = 200", YLabel: "accuracy", Groups: groups, Series: series, References: []plot.Reference{{Label: "chance", Y: 0.25}}}.PNG()
		},
		"bars-diff": func() ([]byte, error) {
			return plot.Bars{Title: "Accuracy against baseline, paired, 95 % bootstrap interval", YLabel: "difference (points)", Groups: arms[1:],
				Series: []plot.BarSeries{{Name: "difference", Values: []float64{0.5, -2.5, 0}, Lo: []float64{-1, -4, -0.4}, Hi: []float64{2, -1, 0.4},
					Labels: []string{"p = 0.61", "p = 0.004", "p = 1"}}}}.PNG()
		},
		"bars-many": func() ([]byte, error) {
			var g []string
			var v []float64
			for i := range 30 {
				g, v = append(g, "some_mmlu_subject_"+string(rune('a'+i%26))), append(v, float64(i))
			}
			return plot.Bars{Title: "Many groups", YLabel: "n", Groups: g, ShowValues: true, Series: []plot.BarSeries{{Values: v}}}.PNG()
		},
	}
}
