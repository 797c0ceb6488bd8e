package figures

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

// Entropy over depth, with its 95 % interval over prompts.
func Entropy(o Of) (note.Figure, error) {
	v, err := o.Survey.Entropy()
	if err != nil {
		return note.Figure{}, err
	}
	return depth(o, v, "entropy", "Row entropy over depth", "nats")
}

// Distance is the mean attended distance over depth, with its 95 % interval over prompts.
func Distance(o Of) (note.Figure, error) {
	v, err := o.Survey.Distance()
	if err != nil {
		return note.Figure{}, err
	}
	return depth(o, v, "distance", "Mean attended distance over depth", "tokens")
}

// depth is a curve over layers.
func depth(o Of, v *sink.PerHead, name, title, unit string) (note.Figure, error) {
	means, ci := v.ByLayer(o.Seed)
	curve := plot.Series{Name: o.Model, Y: means}
	t := note.Table{Name: name, Title: title, Columns: []string{"layer", unit, "low", "high"}}
	for l := range means {
		curve.X, curve.Lo, curve.Hi = append(curve.X, float64(l)), append(curve.Lo, ci[l].Low), append(curve.Hi, ci[l].High)
		t.Rows = append(t.Rows, []any{l, means[l], ci[l].Low, ci[l].High})
	}
	png, err := plot.Curves{Series: []plot.Series{curve}, Title: title, XLabel: "layer", YLabel: unit}.PNG()
	return note.Figure{Name: name, Title: title, Caption: o.about("mean over heads") + "; band: 95 % bootstrap interval over prompts", PNG: png, Table: &t}, err
}

// Classes is each token class's share of received attention over depth, divided by its share of tokens.
func Classes(o Of, shares []sink.ClassShare) (note.Figure, error) {
	t := note.Table{Name: "classes-by-layer", Title: "Share of attention over share of tokens", Columns: []string{"token class", "layer", "share of attention", "share of tokens", "ratio"}}
	var series []plot.Series
	for _, c := range shares {
		if c.Tokens == 0 {
			continue
		}
		curve := plot.Series{Name: c.Class.String()}
		for l, v := range c.PerLayer {
			curve.X, curve.Y = append(curve.X, float64(l)), append(curve.Y, v/c.Tokens)
			t.Rows = append(t.Rows, []any{c.Class.String(), l, v, c.Tokens, v / c.Tokens})
		}
		series = append(series, curve)
	}
	png, err := plot.Curves{Series: series, Title: "Attention that token classes receive, over their share of tokens", XLabel: "layer", YLabel: "ratio of shares",
		References: []plot.Reference{{Label: "in proportion", Y: 1}}}.PNG()
	return note.Figure{Name: "classes", Title: "Token classes over depth", Caption: o.about("sum over heads"), PNG: png, Table: &t}, err
}

// Rates is the sink rate of position 0 over thresholds, with its 95 % interval over prompts.
func Rates(o Of, eps []float64) (note.Figure, error) {
	rates, err := o.Survey.SinkRates(0, eps)
	if err != nil {
		return note.Figure{}, err
	}
	curve := plot.Series{Name: o.Model}
	t := note.Table{Name: "sink-rates", Title: "Sink rate of position 0", Columns: []string{"eps", "T", "sink rate", "low", "high", "prompts"}}
	for _, r := range rates {
		ci := stats.MeanInterval(r.PerPrompt, o.Seed)
		curve.X, curve.Y, curve.Lo, curve.Hi = append(curve.X, r.Eps), append(curve.Y, r.Value), append(curve.Lo, ci.Low), append(curve.Hi, ci.High)
		t.Rows = append(t.Rows, []any{r.Eps, r.T, r.Value, ci.Low, ci.High, r.Prompts})
	}
	png, err := plot.Curves{Series: []plot.Series{curve}, Title: fmt.Sprintf("Sink rate of position 0 over eps, T = %d", o.Survey.T), XLabel: "eps", YLabel: "share of heads", YMin: 0, YMax: 1}.PNG()
	return note.Figure{Name: "sink-rates", Title: "Sink rate over eps", Caption: o.about("share of all heads") + "; band: 95 % bootstrap interval over prompts", PNG: png, Table: &t}, err
}
