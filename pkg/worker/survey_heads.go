package worker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

// interval writes an interval into a table's cell.
func interval(ci stats.Interval) string { return fmt.Sprintf("%.3f to %.3f", ci.Low, ci.High) }

// ratesView is the sink rate of position 0 at each threshold.
func ratesView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	rates, err := s.SinkRates(v.Key, v.Eps)
	if err != nil {
		return nil, err
	}
	p := &report.Part{Method: fmt.Sprintf("Received attention of a key is the mean of A[i, key] over the queries that can see it; the sink rate of a key is the share of (layer, head) pairs in which it receives more than eps. "+
		"Measured on %s; eps and T belong to the number.%s", v.sample(s), v.said), Facts: v.facts(s)}
	curve := plot.Series{Name: v.name()}
	table := report.Table{Name: "sink-rates", Title: fmt.Sprintf("Sink rate of position %d", v.Key), Columns: []string{"eps", "T", "sink rate", "low", "high", "texts"}}
	for _, r := range rates {
		ci := stats.MeanInterval(r.PerPrompt, v.Options.Seed)
		curve.X, curve.Y, curve.Lo, curve.Hi = append(curve.X, r.Eps), append(curve.Y, r.Value), append(curve.Lo, ci.Low), append(curve.Hi, ci.High)
		table.Rows = append(table.Rows, []any{r.Eps, r.T, r.Value, ci.Low, ci.High, r.Prompts})
		p.Numbers = append(p.Numbers, report.Number{Name: fmt.Sprintf("sink_rate/key %d, eps %g, T %d", r.Key, r.Eps, v.length), Value: r.Value, Unit: "share of heads", N: r.Prompts, CI95: &ci, Tolerance: 1e-3})
	}
	last := rates[len(rates)-1]
	if i := slices.IndexFunc(rates, func(r sink.Rate) bool { return r.Eps == sink.DefaultEps }); i >= 0 {
		last = rates[i]
	}
	ci := stats.MeanInterval(last.PerPrompt, v.Options.Seed)
	p.Answers = true // of recipes that compare nothing: of several that answer the last is the note's
	p.Finding = fmt.Sprintf("%.1f %% of heads give position %d more than %g of their attention (95 %% interval over texts %.1f to %.1f %%; T = %d, %d texts)%s.",
		100*last.Value, v.Key, last.Eps, 100*ci.Low, 100*ci.High, v.length, last.Prompts, v.mostSunkOn(s))
	if len(rates) == 1 {
		p.Tables = []report.Table{table}
		return p, nil
	}
	title := fmt.Sprintf("Sink rate of position %d over eps, T = %d", v.Key, v.length)
	p.Figures = []report.Figure{{Name: "sink-rates", Title: "Sink rate over eps", Caption: v.about(s, "share of all heads") + "; band: 95 % bootstrap interval over texts", Table: &table,
		Chart: plot.Curves{Series: []plot.Series{curve}, Title: title, XLabel: "eps", YLabel: "share of heads", YMin: 0, YMax: 1}}}
	return p, nil
}

// firstPositions is how many positions are looked at for a sink that is not position 0.
const firstPositions = 8

// mostSunkOn names the position that most heads sink on, where that is another than 0.
func (v *surveyed) mostSunkOn(s *sink.Survey) string {
	most, best, zero := 0, 0.0, 0.0
	for k := range min(firstPositions, slices.Min(s.Lengths)) {
		r, err := s.SinkRate(k, sink.DefaultEps)
		if err != nil {
			return ""
		}
		if k == 0 {
			zero = r.Value
		}
		if r.Value > best {
			most, best = k, r.Value
		}
	}
	if most == 0 || best <= zero {
		return ""
	}
	token, texts := commonest(s, most)
	return fmt.Sprintf("; more heads, %.1f %%, sink on position %d, which is %q in %d of %d texts", 100*best, most, token, texts, len(s.Prompts))
}

// rateValue answers with one sink rate as plain data.
func rateValue(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, v.Arm)
	if err != nil {
		return nil, err
	}
	r, err := s.SinkRate(v.Key, v.Eps[0])
	if err != nil {
		return nil, err
	}
	return nil, v.reply(r.Value)
}

// arraysValue answers with the arrays of an arm's survey.
func arraysValue(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, v.Arm)
	if err != nil {
		return nil, err
	}
	received := report.Array{Shape: []int{s.Layers, s.Heads}, Axes: []string{"layer", "head"}}
	for _, heads := range s.FirstMass() {
		for _, x := range heads {
			received.Values = append(received.Values, float32(x))
		}
	}
	out := report.Arrays{"first": received}
	for p := range s.Lengths {
		a := report.Array{Shape: []int{s.Layers, s.Heads, s.Lengths[p]}, Axes: []string{"layer", "head", "key"}}
		for l := range s.Layers {
			for h := range s.Heads {
				a.Values = append(a.Values, s.Received(p, l, h)...)
			}
		}
		out[fmt.Sprintf("received.%d", p)] = a
	}
	return nil, v.reply(out)
}

// mapView is what position 0 receives by layer and head.
func mapView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	values := s.FirstMass()
	return &report.Part{Figures: []report.Figure{{Name: "sink-map", Title: "Attention received by position 0", Caption: v.about(s, "every head"),
		Chart: plot.Heatmap{Values: values, Title: "Attention received by position 0", XLabel: "head", YLabel: "layer", ZLabel: "mean attention", Min: 0, Max: 1, Annotate: len(values[0]) <= 16},
		Table: gridTable("first-mass-by-head", "Mean attention by layer and head", "head", values)}}}, nil
}

// gridTable is a table of values by layer and column.
func gridTable(name, title, column string, values [][]float64) *report.Table {
	t := report.Table{Name: name, Title: title, Columns: []string{"layer"}}
	for c := range values[0] {
		t.Columns = append(t.Columns, fmt.Sprintf("%s %d", column, c))
	}
	for l, row := range values {
		line := []any{l}
		for _, x := range row {
			line = append(line, x)
		}
		t.Rows = append(t.Rows, line)
	}
	return &t
}

// positionsView is the sink rate of the first positions: another token that begins every text can take position 0's place.
func positionsView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	t := report.Table{Name: "positions", Title: fmt.Sprintf("Sink rate of the first positions, eps %g", sink.DefaultEps), Columns: []string{"position", "token", "in so many texts", "sink rate", "95 % interval"}}
	for k := range min(v.N, slices.Min(s.Lengths)) {
		r, err := s.SinkRate(k, sink.DefaultEps)
		if err != nil {
			return nil, err
		}
		token, texts := commonest(s, k)
		t.Rows = append(t.Rows, []any{k, token, texts, r.Value, interval(stats.MeanInterval(r.PerPrompt, v.Options.Seed))})
	}
	return &report.Part{Method: fmt.Sprintf("The sink rate of each of the first positions, over %s.", v.sample(s)), Tables: []report.Table{t}}, nil
}

// commonest is the token that most texts have at a position, and how many.
func commonest(s *sink.Survey, k int) (token string, texts int) {
	count := map[string]int{}
	for p := range s.Prompts {
		piece := s.Pieces(p)[k]
		if count[piece]++; count[piece] > texts || count[piece] == texts && piece < token {
			token, texts = piece, count[piece]
		}
	}
	return token, texts
}

// Rows of the table of hidden sinks, and queries that a key must be seen by to be one.
const (
	hiddenRows    = 20
	hiddenQueries = 8
)

// hiddenView lists the keys beyond the first that receive much.
func hiddenView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	hidden, err := s.HiddenSinks(sink.DefaultHidden, hiddenQueries)
	if err != nil {
		return nil, err
	}
	p := &report.Part{Method: fmt.Sprintf("Hidden sinks are keys beyond the first whose received attention is above %g in some head (ACT, arXiv 2406.15765); keys seen by fewer than %d queries are left out.", sink.DefaultHidden, hiddenQueries),
		Numbers: []report.Number{{Name: "hidden_sinks", Value: float64(len(hidden)) / float64(len(s.Prompts)), Unit: "keys per prompt", N: len(s.Prompts), Tolerance: 0.5}}}
	t := report.Table{Name: "hidden-sinks", Title: fmt.Sprintf("Keys beyond the first that receive more than %g of a head (the %d found in most heads)", sink.DefaultHidden, hiddenRows),
		Columns: []string{"text", "position", "token", "heads", "first layer", "most received"}}
	for _, h := range hidden[:min(hiddenRows, len(hidden))] {
		t.Rows = append(t.Rows, []any{s.Prompts[h.Prompt], h.Token, s.Pieces(h.Prompt)[h.Token], h.Heads, h.Layer, h.Received})
	}
	if len(hidden) > 0 {
		p.Tables = []report.Table{t}
	}
	return p, nil
}

// maxTokens is how many tokens are written under a map; longer texts are binned.
const maxTokens = 80

// tokenMapView is what each token of one text receives in every layer, averaged over heads, with the tokens written under it. Of texts of more than 80 tokens a column is the
// largest of its tokens, so that a sink of one token shows among thousands.
func tokenMapView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	if v.Text < 0 || v.Text >= len(s.Prompts) {
		return nil, fmt.Errorf("token map of text %d: %d texts were surveyed", v.Text, len(s.Prompts))
	}
	values, labels := s.TokenMap(v.Text), s.Pieces(v.Text)
	n := len(labels)
	x, what := "token", "each token's mean over the queries that see it"
	if n > maxTokens {
		values, labels = binColumns(values, maxTokens)
		x, what = "position", fmt.Sprintf("columns are the largest of up to %d tokens", (n+maxTokens-1)/maxTokens)
	}
	t := report.Table{Name: fmt.Sprintf("tokens-%d", v.Text), Title: "Attention received by each token", Columns: []string{"position", "token"}}
	for l := range values {
		t.Columns = append(t.Columns, fmt.Sprintf("layer %d", l))
	}
	for k, label := range labels {
		line := []any{k, label}
		for l := range values {
			line = append(line, values[l][k])
		}
		t.Rows = append(t.Rows, line)
	}
	caption := fmt.Sprintf("%s, all %d layers, mean over %d heads, text %d of %d tokens, post-softmax; %s", v.name(), s.Layers, s.Heads, s.Prompts[v.Text], n, what)
	return &report.Part{Figures: []report.Figure{{Name: fmt.Sprintf("token-map-%d", v.Text), Title: "Attention received by each token", Table: &t, Caption: caption,
		Chart: plot.Heatmap{Values: values, ColLabels: labels, Title: "Attention received by each token", XLabel: x, YLabel: "layer", ZLabel: "received attention", Size: plot.Size{Width: 1400}}}}}, nil
}

func binColumns(values [][]float64, most int) ([][]float64, []string) {
	n := len(values[0])
	width := (n + most - 1) / most
	out := make([][]float64, len(values))
	var labels []string
	for at := 0; at < n; at += width {
		end := min(at+width, n)
		labels = append(labels, fmt.Sprintf("%d-%d", at, end-1))
		for l, row := range values {
			out[l] = append(out[l], slices.Max(row[at:end]))
		}
	}
	return out, labels
}

// layerMapsView is the attention of chosen layers, averaged over heads and texts, binned as the survey stored it.
func layerMapsView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	layers, err := layerList(v.Layers, s.Layers)
	if err != nil {
		return nil, err
	}
	p := &report.Part{}
	for _, l := range layers {
		values, err := s.Map(l)
		if err != nil {
			return nil, err
		}
		labels := make([]string, len(values))
		for i := range labels {
			labels[i] = fmt.Sprint(i * s.Group)
		}
		title := fmt.Sprintf("Attention of layer %d", l)
		p.Figures = append(p.Figures, report.Figure{Name: fmt.Sprintf("map-%d", l), Title: title,
			Chart: plot.Heatmap{Values: values, RowLabels: labels, ColLabels: labels, Title: title, XLabel: "key position", YLabel: "query position", ZLabel: "share of the query's attention",
				Min: 0, Max: quantile(values, 0.98), Size: plot.Size{Width: 760, Height: 700}},
			Caption: fmt.Sprintf("%s, mean over heads; one cell is %d x %d tokens; the brightest 2 %% share the last colour", v.about(s, fmt.Sprintf("layer %d shown", l)), s.Group, s.Group)})
	}
	return p, nil
}

// layerList reads "first,last" or numbers.
func layerList(text string, layers int) ([]int, error) {
	var out []int
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		l, err := strconv.Atoi(name)
		switch {
		case name == "first":
			l = 0
		case name == "last":
			l = layers - 1
		case err != nil || l < 0 || l >= layers:
			return nil, fmt.Errorf("parameter layers=%q: %q is not a layer: expected first, last, or numbers from 0 to %d", text, name, layers-1)
		}
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out, nil
}

// quantile of the finite values: the first queries have few keys, and their large shares would leave all others one colour.
func quantile(values [][]float64, q float64) float64 {
	var all []float64
	for _, row := range values {
		for _, x := range row {
			if !math.IsNaN(x) {
				all = append(all, x)
			}
		}
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1))]
}

// similarityView is how alike the head-averaged maps of every two layers are.
func similarityView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	values, err := s.Similarities()
	if err != nil {
		return nil, err
	}
	return &report.Part{Figures: []report.Figure{{Name: "similarity", Title: "Similarity of layers' attention", Caption: v.about(s, "maps averaged over heads") + "; cosine of two maps, mean over texts",
		Chart: plot.Heatmap{Values: values, Title: "Similarity of layers' attention", XLabel: "layer", YLabel: "layer", ZLabel: "cosine", Min: 0, Max: 1, Annotate: len(values) <= 12, Size: plot.Size{Width: 760}},
		Table: gridTable("similarity", "Cosine of the layers' head-averaged maps", "layer", values)}}}, nil
}
