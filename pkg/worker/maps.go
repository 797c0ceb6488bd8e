package worker

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
)

// mapArgs ask for attention maps of one text.
type mapArgs struct {
	Text  string  `json:"text"`
	Layer int     `json:"layer"`
	Head  int     `json:"head"` // -1 = the mean over heads
	Tau   float64 `json:"tau,omitempty"`
	N     int     `json:"n,omitempty"`
}

// attention answers with maps of one text: "head" and "mean" draw one, "mask" draws the emulation mask of a head, "all" is the view to look around in, "values" are plain numbers.
func attention(_ context.Context, j *job) error {
	a, err := args[mapArgs](j)
	if err != nil {
		return err
	}
	m, err := j.open()
	if err != nil {
		return err
	}
	ids, list := m.Tokenizer.Encode(a.Text), m.Tokenizer.Tokens(a.Text, !j.Options.NoBOS)
	if j.Options.NoBOS {
		ids = m.Tokenizer.EncodePlain(a.Text)
	}
	labels := make([]string, len(list))
	for i, t := range list {
		if labels[i] = m.Tokenizer.Piece(t.ID); !t.Special {
			labels[i] = a.Text[t.Start:t.End]
		}
	}
	if j.View == "all" || j.View == "top" {
		return j.attentionView(a, ids, labels)
	}
	var heads []int
	if a.Head >= 0 {
		heads = []int{a.Head}
	}
	exp, err := j.experiment(j.arms()[0], m)
	if err != nil {
		return err
	}
	found, err := sink.AttentionMap(m, ids, a.Layer, heads, exp)
	if err != nil {
		return err
	}
	values := meanMap(tensors.MustCopyFlatData[float32](found), len(ids))
	which := fmt.Sprintf("head %d", a.Head)
	if a.Head < 0 {
		which = "mean over heads"
	}
	about := fmt.Sprintf("%s, layer %d, %s, post-softmax, one text of %d tokens", j.name(), a.Layer, which, len(ids))
	switch j.View {
	case "values":
		return j.reply(values)
	case "mask":
		marked, most := maskOf(values, a.Tau)
		return j.show(&report.Part{Method: fmt.Sprintf("The emulation mask is where A[i, j] > %g off the diagonal. Here %.1f %% of the entries below the diagonal are in it; a row has at most %d, and can have at most %.0f.", a.Tau, 100*marked, most, 1/a.Tau),
			Figures: []report.Figure{{Name: fmt.Sprintf("mask-%d-%d", a.Layer, a.Head), Title: fmt.Sprintf("The mask of layer %d, %s", a.Layer, which), Caption: about + fmt.Sprintf("; where it exceeds %g", a.Tau),
				Chart: plot.Heatmap{Values: values, RowLabels: labels, ColLabels: labels, Title: about, XLabel: "key", YLabel: "query", ZLabel: "attention", Min: 0, Max: 0.5}}}})
	}
	return j.show(&report.Part{Figures: []report.Figure{{Name: fmt.Sprintf("attention-%d-%s", a.Layer, headName(a.Head)), Title: fmt.Sprintf("Attention of layer %d, %s", a.Layer, which), Caption: about,
		Chart: plot.Heatmap{Values: future(values), RowLabels: labels, ColLabels: labels, Title: about, XLabel: "key", YLabel: "query", ZLabel: "attention"}}}})
}

// activation answers with what one layer computes of one text under a name: see package sink.
func activation(_ context.Context, j *job) error {
	a, err := args[struct {
		Text  string `json:"text"`
		Name  string `json:"name"`
		Layer int    `json:"layer"`
	}](j)
	if err != nil {
		return err
	}
	m, err := j.open()
	if err != nil {
		return err
	}
	exp, err := j.experiment(j.arms()[0], m)
	if err != nil {
		return err
	}
	ids := m.Tokenizer.Encode(a.Text)
	if j.Options.NoBOS {
		ids = m.Tokenizer.EncodePlain(a.Text)
	}
	x, err := sink.Activation(m, ids, a.Name, a.Layer, exp)
	if err != nil {
		return err
	}
	out := report.Array{Shape: x.Shape().Dimensions, Axes: []string{"token", "channel"}, Values: tensors.MustCopyFlatData[float32](x)}
	if a.Name == sink.ActAttention {
		out.Axes = []string{"head", "query", "key"}
	}
	return j.reply(out)
}

func headName(head int) string {
	if head < 0 {
		return "mean"
	}
	return fmt.Sprint(head)
}

// future blanks what a query cannot see: a key ahead of it is not an entry of zero.
func future(values [][]float64) [][]float64 {
	for i, row := range values {
		for k := i + 1; k < len(row); k++ {
			row[k] = math.NaN()
		}
	}
	return values
}

// maskOf blanks what is not marked and counts: the share of entries below the diagonal that are, and the most in one row.
func maskOf(values [][]float64, tau float64) (share float64, most int) {
	marked, can := 0, 0
	for i, row := range values {
		inRow := 0
		for k := range row {
			if k < i {
				can++
			}
			if k < i && row[k] > tau {
				inRow++
			} else {
				row[k] = math.NaN()
			}
		}
		marked, most = marked+inRow, max(most, inRow)
	}
	return float64(marked) / float64(max(1, can)), most
}

// meanMap averages maps [heads, queries, keys] over heads.
func meanMap(flat []float32, n int) [][]float64 {
	heads := len(flat) / (n * n)
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
		for h := range heads {
			for k := range n {
				out[i][k] += float64(flat[(h*n+i)*n+k]) / float64(heads)
			}
		}
	}
	return out
}

// maxViewBytes bounds what an attention view brings to the page: 5 arms, layers, heads and tokens are counted.
const maxViewBytes = 64 << 20

// attentionView is every layer and head of a short text, for every arm, to hover over.
func (j *job) attentionView(a mapArgs, ids []int, labels []string) error {
	m, arms := j.session.model, j.arms()
	c := m.Config
	n := len(ids)
	if bytes := 4 * len(arms) * c.Layers * c.Heads * n * n; bytes > maxViewBytes {
		return fmt.Errorf("the attention of %d arms, %d layers and %d heads over %d tokens is %d MiB, more than the %d that a page holds: give a shorter text, or ask one head", len(arms), c.Layers, c.Heads, n, bytes>>20, maxViewBytes>>20)
	}
	view := report.Attention{Name: "attention", Title: "Attention, token by token", Tokens: labels, Probs: report.Array{Shape: []int{len(arms), c.Layers, c.Heads, n, n}, Axes: []string{"arm", "layer", "head", "query", "key"}},
		Caption: fmt.Sprintf("%s, every layer and head, post-softmax, one text of %d tokens", j.name(), n)}
	for _, arm := range arms {
		exp, err := j.experiment(arm, m)
		if err != nil {
			return err
		}
		maps, err := sink.AttentionMaps(m, [][]int{ids}, exp)
		if err != nil {
			return err
		}
		view.Arms = append(view.Arms, arm.Name)
		for _, layer := range maps {
			view.Probs.Values = append(view.Probs.Values, tensors.MustCopyFlatData[float32](layer)...)
		}
	}
	if j.View == "top" {
		return j.topHeads(a, view)
	}
	return j.show(&report.Part{Attention: []report.Attention{view}})
}

// topHeads lists the heads whose most attended key, off the diagonal, takes most on average.
func (j *job) topHeads(a mapArgs, view report.Attention) error {
	c, n := j.session.model.Config, len(view.Tokens)
	t := report.Table{Name: "top-heads", Title: fmt.Sprintf("The %d heads that give one key most", a.N), Columns: []string{"layer", "head", "key", "token", "mean attention"}}
	type found struct {
		layer, head, key int
		mean             float64
	}
	var all []found
	for l := range c.Layers {
		for h := range c.Heads {
			at := (l*c.Heads + h) * n * n
			best := found{l, h, 0, 0}
			for k := range n - 1 {
				sum := 0.0
				for i := k + 1; i < n; i++ {
					sum += float64(view.Probs.Values[at+i*n+k])
				}
				if mean := sum / float64(n-k-1); mean > best.mean && n-k > 4 {
					best.key, best.mean = k, mean
				}
			}
			all = append(all, best)
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.mean, a.mean) })
	for _, f := range all[:min(a.N, len(all))] {
		t.Rows = append(t.Rows, []any{f.layer, f.head, f.key, plot.Visible(view.Tokens[f.key]), f.mean})
	}
	return j.show(&report.Part{Method: "Of each head the key that later queries give most to, on average; keys with fewer than four later queries are left out.", Tables: []report.Table{t}})
}

// gains is the factor of each layer under the arms' interventions.
func gains(_ context.Context, j *job) error {
	a, err := args[struct {
		Layers int `json:"layers"`
	}](j)
	if err != nil {
		return err
	}
	layers := a.Layers
	if layers == 0 {
		m, err := j.open()
		if err != nil {
			return err
		}
		layers = m.Config.Layers
	}
	t := report.Table{Name: fmt.Sprintf("gains-%d", layers), Title: fmt.Sprintf("The factor of each of %d layers", layers), Columns: []string{"layer"}}
	for l := range layers {
		t.Rows = append(t.Rows, []any{l})
	}
	var series []plot.Series
	for _, arm := range j.Arms {
		if len(arm.Plan) == 0 {
			continue // the untouched model
		}
		plan, err := emulate.ParsePlan(arm.Plan)
		if err != nil {
			return fmt.Errorf("arm %q: %w", arm.Name, err)
		}
		for i, s := range plan {
			name := arm.Name
			if len(plan) > 1 {
				name += fmt.Sprintf(", step %d", i+1)
			}
			line := plot.Series{Name: name}
			t.Columns = append(t.Columns, name)
			for l := range layers {
				line.X, line.Y = append(line.X, float64(l)), append(line.Y, s.Gain(l, layers))
				t.Rows[l] = append(t.Rows[l], s.Gain(l, layers))
			}
			series = append(series, line)
		}
	}
	return j.show(&report.Part{Figures: []report.Figure{{Name: t.Name, Title: "The gain over depth", Caption: fmt.Sprintf("by formula, %d layers", layers), Table: &t,
		Chart: plot.Curves{Series: series, Title: fmt.Sprintf("The gain over depth, %d layers", layers), XLabel: "layer", YLabel: "gain"}}}})
}
