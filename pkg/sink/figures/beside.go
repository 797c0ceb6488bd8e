package figures

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

// Statistic is a number per head that a survey holds: what is drawn, under which name and in which unit.
type Statistic struct {
	Name  string // of the figure and its table, a file name
	Title string
	Unit  string
	Of    func(*sink.Survey) (*sink.PerHead, error)
}

// Beside draws a statistic of two surveys of the same prompts over depth, each with its 95 % interval over prompts: two models, or one before and
// after training or an intervention. The table adds the paired change of every layer, whose interval says more than two bands that overlap.
func Beside(before, after Of, what Statistic) (note.Figure, error) {
	b, err := what.Of(before.Survey)
	if err != nil {
		return note.Figure{}, err
	}
	a, err := what.Of(after.Survey)
	if err != nil {
		return note.Figure{}, err
	}
	if a.Layers != b.Layers || len(a.Values) != len(b.Values) {
		return note.Figure{}, fmt.Errorf("%s: surveys of %d layers and %d prompts beside %d layers and %d prompts: run both on the same prompts and models of one depth",
			what.Name, b.Layers, len(b.Values), a.Layers, len(a.Values))
	}
	t := note.Table{Name: what.Name, Title: what.Title + ", by layer",
		Columns: []string{"layer", before.Model, after.Model, "change, " + what.Unit, "95 % interval of the change"}}
	var series []plot.Series
	for _, side := range []struct {
		of Of
		v  *sink.PerHead
	}{{before, b}, {after, a}} {
		means, ci := side.v.ByLayer(side.of.Seed)
		curve := plot.Series{Name: side.of.Model, Y: means}
		for l := range means {
			curve.X, curve.Lo, curve.Hi = append(curve.X, float64(l)), append(curve.Lo, ci[l].Low), append(curve.Hi, ci[l].High)
		}
		series = append(series, curve)
	}
	for l := range b.Layers {
		c := stats.PairedMean(a.Layer(l), b.Layer(l), before.Seed)
		t.Rows = append(t.Rows, []any{l, series[0].Y[l], series[1].Y[l], c.Mean, fmt.Sprintf("%.4f to %.4f", c.CI95.Low, c.CI95.High)})
	}
	png, err := plot.Curves{Series: series, Title: what.Title, XLabel: "layer", YLabel: what.Unit}.PNG()
	both := Of{Model: before.Model + " and " + after.Model, Survey: before.Survey}
	return note.Figure{Name: what.Name, Title: what.Title, Caption: both.about("mean over heads") + "; bands: 95 % bootstrap intervals over prompts", PNG: png, Table: &t}, err
}
