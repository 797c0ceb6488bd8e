// Package figures draws a survey of attention: every figure comes from saved statistics, without the model, says what it shows of which model,
// layers, heads and prompts, and carries the numbers behind it.
package figures

import (
	"fmt"
	"math"
	"slices"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/sink"
)

// Of is a survey with the name of its model, as captions write it.
type Of struct {
	Model  string
	Survey *sink.Survey
	Seed   uint64 // of bootstrap intervals
}

// about is the end of every caption: what the numbers are of.
func (o Of) about(heads string) string {
	s := o.Survey
	length := fmt.Sprintf("%d tokens", s.T)
	if s.T == 0 {
		length = "differing lengths"
	}
	return fmt.Sprintf("%s, all %d layers, %s, mean over %d prompts of %s, post-softmax", o.Model, s.Layers, heads, len(s.Prompts), length)
}

// SinkMap is what position 0 receives by layer and head.
func SinkMap(o Of) (note.Figure, error) {
	values := o.Survey.FirstMass()
	png, err := plot.Heatmap{Values: values, Title: "Attention received by position 0", XLabel: "head", YLabel: "layer",
		ZLabel: "mean attention", Min: 0, Max: 1, Annotate: len(values[0]) <= 16}.PNG()
	return note.Figure{Name: "sink-map", Title: "Attention received by position 0", Caption: o.about("every head"), PNG: png,
		Table: grid("first-mass-by-head", "Mean attention by layer and head", "head", values)}, err
}

// grid is a table of values by layer and column.
func grid(name, title, column string, values [][]float64) *note.Table {
	t := note.Table{Name: name, Title: title, Columns: []string{"layer"}}
	for c := range values[0] {
		t.Columns = append(t.Columns, fmt.Sprintf("%s %d", column, c))
	}
	for l, row := range values {
		line := []any{l}
		for _, v := range row {
			line = append(line, v)
		}
		t.Rows = append(t.Rows, line)
	}
	return &t
}

// maxTokens is how many tokens are written under a map; longer prompts are binned.
const maxTokens = 80

// TokenMap is what each token of one prompt receives in every layer, averaged over heads, with the tokens written under it. Prompts of more than
// 80 tokens are binned: a column is the largest of its tokens, so that a sink of one token shows among thousands.
func TokenMap(o Of, prompt int) (note.Figure, error) {
	values, labels := o.Survey.TokenMap(prompt), o.Survey.Pieces(prompt)
	n := len(labels)
	x, what := "token", "each token's mean over the queries that see it"
	if n > maxTokens {
		values, labels = binColumns(values, maxTokens)
		x, what = "position", fmt.Sprintf("columns are the largest of up to %d tokens", (n+maxTokens-1)/maxTokens)
	}
	png, err := plot.Heatmap{Values: values, ColLabels: labels, Title: "Attention received by each token", XLabel: x, YLabel: "layer",
		ZLabel: "received attention", Size: plot.Size{Width: 1400}}.PNG()
	t := note.Table{Name: fmt.Sprintf("tokens-%d", prompt), Title: "Attention received by each token", Columns: []string{"position", "token"}}
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
	return note.Figure{Name: fmt.Sprintf("token-map-%d", prompt), Title: "Attention received by each token", PNG: png, Table: &t,
		Caption: fmt.Sprintf("%s, all %d layers, mean over %d heads, prompt %d of %d tokens, post-softmax; %s", o.Model, o.Survey.Layers, o.Survey.Heads, o.Survey.Prompts[prompt], n, what)}, err
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

// LayerMap is one layer's attention averaged over heads and prompts, binned as the survey stored it.
func LayerMap(o Of, layer int) (note.Figure, error) {
	values, err := o.Survey.Map(layer)
	if err != nil {
		return note.Figure{}, err
	}
	group := o.Survey.Group
	labels := make([]string, len(values))
	for i := range labels {
		labels[i] = fmt.Sprint(i * group)
	}
	title := fmt.Sprintf("Attention of layer %d", layer)
	png, err := plot.Heatmap{Values: values, RowLabels: labels, ColLabels: labels, Title: title, XLabel: "key position", YLabel: "query position",
		ZLabel: "share of the query's attention", Causal: true, Min: 0, Max: most(values, 0.98), Size: plot.Size{Width: 760}}.PNG()
	return note.Figure{Name: fmt.Sprintf("map-%d", layer), Title: title, PNG: png,
		Caption: fmt.Sprintf("%s, mean over heads; one cell is %d x %d tokens; the brightest 2 %% share the last colour", o.about(fmt.Sprintf("layer %d shown", layer)), group, group)}, err
}

// most is a quantile of the finite values: the first queries have few keys, and their large shares would leave all others one colour.
func most(values [][]float64, q float64) float64 {
	var all []float64
	for _, row := range values {
		for _, v := range row {
			if !math.IsNaN(v) {
				all = append(all, v)
			}
		}
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1))]
}

// Similarity is how alike the head-averaged maps of every two layers are.
func Similarity(o Of) (note.Figure, error) {
	values, err := o.Survey.Similarities()
	if err != nil {
		return note.Figure{}, err
	}
	png, err := plot.Heatmap{Values: values, Title: "Similarity of layers' attention", XLabel: "layer", YLabel: "layer", ZLabel: "cosine",
		Min: 0, Max: 1, Annotate: len(values) <= 12, Size: plot.Size{Width: 760}}.PNG()
	return note.Figure{Name: "similarity", Title: "Similarity of layers' attention", PNG: png, Caption: o.about("maps averaged over heads") + "; cosine of two maps, mean over prompts",
		Table: grid("similarity", "Cosine of the layers' head-averaged maps", "layer", values)}, err
}
