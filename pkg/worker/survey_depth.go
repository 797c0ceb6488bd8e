package worker

import (
	"context"
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

// statistic is a number per head that a survey holds: under which name it is asked for and drawn, and in which unit.
type statistic struct {
	name, title, unit string
	of                func(*sink.Survey) (*sink.PerHead, error)
}

// statistics are what OverDepth draws, by the names that notebooks use. "first" and "rowsum" need received attention only.
var statistics = map[string]statistic{
	"first":    {"first-mass", "Attention on position 0", "mean attention", nil},
	"rowsum":   {"row-sums", "Sum of an attention row", "mean row sum", nil},
	"entropy":  {"entropy", "Row entropy", "nats", (*sink.Survey).Entropy},
	"distance": {"distance", "Mean attended distance", "tokens", (*sink.Survey).Distance},
	"diagonal": {"diagonal", "Mass on the query itself", "share", (*sink.Survey).DiagonalShare},
	"local":    {"local", "Mass in the local window", "share", (*sink.Survey).LocalShare},
	"overlap":  {"overlap", "Overlap of each layer's mask with layer 0's", "Jaccard index", (*sink.Survey).Overlap},
}

// overDepthView draws statistics over the layers, a line for each arm.
func overDepthView(ctx context.Context, v *surveyed) (*report.Part, error) {
	p := &report.Part{Method: "Each point is a layer's mean over heads and texts; bands are 95 % bootstrap intervals over texts where a statistic is of single texts."}
	for _, name := range v.What {
		stat, ok := statistics[name]
		if !ok {
			return nil, fmt.Errorf("over depth: no statistic %q, expected first, rowsum, entropy, distance, diagonal, local or overlap", name)
		}
		f, err := v.overDepth(ctx, stat)
		if err != nil {
			return nil, err
		}
		p.Figures = append(p.Figures, *f)
	}
	if len(v.arms()) > 1 {
		p.Figures[0].Table = armTable(p.Figures)
	}
	return p, nil
}

// armTable is one table of all statistics by arm and layer, in place of the figures' own.
func armTable(figures []report.Figure) *report.Table {
	t := report.Table{Name: "emulation", Title: "What each arm does to attention", Columns: []string{"arm", "layer"}}
	for i := range figures {
		f := &figures[i]
		t.Columns = append(t.Columns, f.Title)
		for n, row := range f.Table.Rows {
			if i == 0 {
				t.Rows = append(t.Rows, []any{row[0], row[1]})
			}
			t.Rows[n] = append(t.Rows[n], row[2])
		}
		f.Table = nil
	}
	return &t
}

func (v *surveyed) overDepth(ctx context.Context, stat statistic) (*report.Figure, error) {
	t := report.Table{Name: stat.name, Title: stat.title + ", by layer", Columns: []string{"arm", "layer", stat.unit, "low", "high"}}
	var series []plot.Series
	var shown *sink.Survey
	for i, arm := range v.arms() {
		s, err := v.of(ctx, i)
		if err != nil {
			return nil, err
		}
		curve, err := depthCurve(s, stat, v.Options.Seed)
		if err != nil {
			return nil, err
		}
		curve.Name = arm.Name
		for l, y := range curve.Y {
			curve.X = append(curve.X, float64(l))
			row := []any{arm.Name, l, y, nil, nil}
			if curve.Lo != nil {
				row[3], row[4] = curve.Lo[l], curve.Hi[l]
			}
			t.Rows = append(t.Rows, row)
		}
		series, shown = append(series, curve), s
	}
	return &report.Figure{Name: stat.name, Title: stat.title + " over depth", Caption: v.about(shown, "mean over heads") + " after the intervention", Table: &t,
		Chart: plot.Curves{Series: series, Title: stat.title, XLabel: "layer", YLabel: stat.unit}}, nil
}

// depthCurve is a statistic by layer; one of few texts has no band.
func depthCurve(s *sink.Survey, stat statistic, seed uint64) (plot.Series, error) {
	switch stat.name {
	case "first-mass":
		return plot.Series{Y: s.LayerFirstMass()}, nil
	case "row-sums":
		return plot.Series{Y: s.LayerRowSums()}, nil
	}
	values, err := stat.of(s)
	if err != nil {
		return plot.Series{}, err
	}
	means, ci := values.ByLayer(seed)
	curve := plot.Series{Y: means}
	if len(s.Prompts) > 1 {
		for _, c := range ci {
			curve.Lo, curve.Hi = append(curve.Lo, c.Low), append(curve.Hi, c.High)
		}
	}
	return curve, nil
}

// layersView is a table of the layers, with each statistic's mean over everything as a number.
func layersView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	p := &report.Part{Method: "Means over heads and texts. The local window is the query and the tokens next to it; a layer's mask are its own entries above tau, and overlap with layer 0's is their Jaccard index."}
	t := report.Table{Name: "layers", Title: "Every layer, mean over heads and texts", Columns: []string{"layer"}}
	for l := range s.Layers {
		t.Rows = append(t.Rows, []any{l})
	}
	for _, c := range []struct {
		name, column, unit string
		of                 func() (*sink.PerHead, error)
		hidden             bool // a number without a column: it is drawn over depth
	}{
		{"first_share", "on position 0", "share", s.FirstShare, false}, {"diagonal_share", "on itself", "share", s.DiagonalShare, false},
		{"local_share", "in the local window", "share", s.LocalShare, false}, {"mask_density", "mask density", "share", s.Density, false},
		{"mask_overlap", "overlap with layer 0's mask", "share", s.Overlap, false}, {"entropy", "", "nats", s.Entropy, true}, {"distance", "", "tokens", s.Distance, true},
	} {
		values, err := c.of()
		if err != nil {
			return nil, err
		}
		if !c.hidden {
			t.Columns = append(t.Columns, c.column)
			means, _ := values.ByLayer(v.Options.Seed)
			for l, x := range means {
				t.Rows[l] = append(t.Rows[l], x)
			}
		}
		sum := 0.0
		for _, x := range values.PerPrompt() {
			sum += x / float64(len(s.Prompts))
		}
		ci := stats.MeanInterval(values.PerPrompt(), v.Options.Seed)
		p.Numbers = append(p.Numbers, report.Number{Name: c.name, Value: sum, Unit: c.unit, N: len(s.Prompts), CI95: &ci, Tolerance: 1e-2})
	}
	p.Tables = []report.Table{t}
	return p, nil
}

// massiveView counts massive activations and tells each layer's largest.
func massiveView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	massive, err := s.MassiveActivations()
	if err != nil {
		return nil, err
	}
	magnitude, ratio, err := s.Largest()
	if err != nil {
		return nil, err
	}
	t := report.Table{Name: "massive", Title: "The largest activation of each layer", Columns: []string{"layer", "largest magnitude", "times the median"}}
	for l := range s.Layers {
		t.Rows = append(t.Rows, []any{l, magnitude[l], ratio[l]})
	}
	return &report.Part{
		Method:  fmt.Sprintf("A massive activation is an entry of the residual stream with magnitude above %d and above %d times its layer's median (arXiv 2402.17762).", sink.MassiveMagnitude, sink.MassiveRatio),
		Finding: fmt.Sprintf("%d massive activations were found in %d texts.", len(massive), len(s.Prompts)),
		Numbers: []report.Number{{Name: "massive_activations", Value: float64(len(massive)), Unit: "entries", N: len(s.Prompts)}}, Tables: []report.Table{t}}, nil
}

// normsView compares vector lengths of position 0 with the other tokens'.
func normsView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	norms, err := s.NormsAt(0)
	if err != nil {
		return nil, err
	}
	t := report.Table{Name: "position-0", Title: "Position 0 against the other tokens", Columns: []string{"layer", "key norm ratio", "value norm ratio", "95 % interval", "residual norm ratio", "95 % interval of it"}}
	for l := range s.Layers {
		t.Rows = append(t.Rows, []any{l, norms.Key[l], norms.Value[l], interval(stats.MeanInterval(norms.ValuePerPrompt[l], v.Options.Seed)),
			norms.Residual[l], interval(stats.MeanInterval(norms.ResidualPerPrompt[l], v.Options.Seed))})
	}
	return &report.Part{Method: "Ratios are of position 0's vector length to the mean of the other tokens': a sink whose value is short drains attention without writing much.", Tables: []report.Table{t}}, nil
}

// ratesOverLengthView is the sink rate of position 0 over T and eps; each T is a survey of its own, of all texts that reach it.
func ratesOverLengthView(ctx context.Context, v *surveyed) (*report.Part, error) {
	t := report.Table{Name: "rates-over-T", Title: "Sink rate of position 0 over T and eps, share of heads", Columns: []string{"T", "prompts"}}
	for _, e := range v.Eps {
		t.Columns = append(t.Columns, fmt.Sprintf("eps %g", e))
	}
	for _, length := range v.Lengths {
		s, err := v.with(ctx, 0, 0, length)
		if err != nil {
			return nil, err
		}
		rates, err := s.SinkRates(0, v.Eps)
		if err != nil {
			return nil, err
		}
		row := []any{length, rates[0].Prompts}
		for _, r := range rates {
			row = append(row, r.Value)
		}
		t.Rows = append(t.Rows, row)
	}
	return &report.Part{Method: "A sink rate is a share of heads, not of mass, and falls with T: compare a published one at its own T and eps only.", Tables: []report.Table{t}}, nil
}

// densityView is how much of what queries see the emulation mask of layer 0 takes.
func densityView(ctx context.Context, v *surveyed) (*report.Part, error) {
	var ids [][]int
	for _, p := range v.ids {
		if len(p) > 1 {
			ids = append(ids, p)
		}
	}
	results, of, o, err := v.keptTexts(len(ids), nil) // the engine tells more
	if err != nil {
		return nil, err
	}
	defer v.session.runner.Watch(func(p engine.Progress) { p.Stage = "mask density"; v.engineProgress(p) })()
	d, err := sink.KeptMaskDensity(ctx, results, of, ids, v.Tau, o)
	if err == nil && v.session.part != nil {
		err = errPartDone
	}
	if err != nil {
		return nil, err
	}
	return &report.Part{
		Method:  fmt.Sprintf("Layer 0 marks %.1f %% of the entries that a query can see beside itself (A_0 > %g, whole texts). Where that is nearly everything, emulation is close to a uniform gain.", 100*d.Value, v.Tau),
		Numbers: []report.Number{{Name: fmt.Sprintf("mask_density/layer 0, tau %g", v.Tau), Value: d.Value, Unit: "share of visible off-diagonal entries", N: d.Prompts, Tolerance: 1e-3}}}, nil
}

// armChangesView is what each arm changes in the attention on position 0, paired by text.
func armChangesView(ctx context.Context, v *surveyed) (*report.Part, error) {
	base, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	p := &report.Part{Method: "Changes are paired: the mean over texts of a difference within a text, with its 95 % bootstrap interval."}
	t := report.Table{Name: "first-mass-changes", Title: "Attention on position 0, arm minus " + v.arms()[0].Name, Columns: []string{"arm", "change", "95 % interval", "texts"}}
	for i, arm := range v.arms()[1:] {
		s, err := v.of(ctx, i+1)
		if err != nil {
			return nil, err
		}
		c := stats.PairedMean(s.FirstMassPerPrompt(), base.FirstMassPerPrompt(), v.Options.Seed)
		t.Rows = append(t.Rows, []any{arm.Name, c.Mean, fmt.Sprintf("%+.4f to %+.4f", c.CI95.Low, c.CI95.High), c.N})
		p.Numbers = append(p.Numbers, report.Number{Name: "first_mass_change/" + arm.Name, Value: c.Mean, Unit: "attention on position 0, arm minus baseline", N: c.N, CI95: &c.CI95, Tolerance: 1e-3})
		if p.Facts == nil {
			p.Facts = map[string]any{"plan." + arm.Name: strings.Join(s.Plan, "; ")}
		}
	}
	if len(t.Rows) > 0 {
		p.Tables = []report.Table{t}
	}
	return p, nil
}
