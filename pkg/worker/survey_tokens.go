package worker

import (
	"context"
	"fmt"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

// classesView compares each token class's share of attention with its share of tokens.
func classesView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	shares, err := s.ByClass(v.tokenClasses())
	if err != nil {
		return nil, err
	}
	p := &report.Part{Method: "A class that drew attention in proportion to its tokens would have a ratio near 1. Position matters too: early keys are seen by more queries."}
	table := report.Table{Name: "classes", Title: "Which tokens receive attention", Columns: []string{"token class", "share of tokens", "share of attention", "ratio", "95 % interval of the share"}}
	behind := report.Table{Name: "classes-by-layer", Title: "Share of attention over share of tokens", Columns: []string{"token class", "layer", "share of attention", "share of tokens", "ratio"}}
	var series []plot.Series
	for _, c := range shares {
		if c.Tokens == 0 {
			continue
		}
		name := c.Class.String()
		ci := stats.MeanInterval(c.PerPrompt, v.Options.Seed)
		table.Rows = append(table.Rows, []any{name, c.Tokens, c.Attention, c.Attention / c.Tokens, fmt.Sprintf("%.4f to %.4f", ci.Low, ci.High)})
		p.Numbers = append(p.Numbers, report.Number{Name: "attention_share/" + name, Value: c.Attention, Unit: "share of attention", N: len(s.Prompts), CI95: &ci, Tolerance: 1e-3})
		curve := plot.Series{Name: name}
		for l, x := range c.PerLayer {
			curve.X, curve.Y = append(curve.X, float64(l)), append(curve.Y, x/c.Tokens)
			behind.Rows = append(behind.Rows, []any{name, l, x, c.Tokens, x / c.Tokens})
		}
		series = append(series, curve)
	}
	p.Tables = []report.Table{table}
	if len(s.Prompts) > 1 {
		p.Figures = []report.Figure{{Name: "classes", Title: "Token classes over depth", Caption: v.about(s, "sum over heads"), Table: &behind,
			Chart: plot.Curves{Series: series, Title: "Attention that token classes receive, over their share of tokens", XLabel: "layer", YLabel: "ratio of shares", References: []plot.Reference{{Label: "in proportion", Y: 1}}}}}
	}
	return p, nil
}

// outliersView asks which keys stand out from the others of their text, by class.
func outliersView(ctx context.Context, v *surveyed) (*report.Part, error) {
	s, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	found := s.Outliers(sink.OutlierOptions{})
	shares, err := found.ByClass(s, v.tokenClasses())
	if err != nil {
		return nil, err
	}
	p := &report.Part{Method: fmt.Sprintf("A key is an outlier if the attention it receives has a robust z-score above %g among the keys of its text in one head; keys seen by fewer than %d queries are left out. "+
		"It is the test of the claim that tokens without meaning of their own attract outlier-high attention.", found.Z, found.MinQueries)}
	t := report.Table{Name: "outliers", Title: "Which tokens stand out", Columns: []string{"token class", "share of tokens", "share of outliers", "95 % interval"}}
	meaningless, tokens := 0.0, 0.0
	for _, c := range shares {
		if c.Tokens == 0 {
			continue
		}
		ci := c.CI95(v.Options.Seed)
		t.Rows = append(t.Rows, []any{c.Class.String(), c.Tokens, c.Outliers, fmt.Sprintf("%.4f to %.4f", ci.Low, ci.High)})
		p.Numbers = append(p.Numbers, report.Number{Name: "outlier_share/" + c.Class.String(), Value: c.Outliers, Unit: "share of outlier keys", N: len(s.Prompts), CI95: &ci, Tolerance: 1e-2})
		if c.Class == tokenizer.Special || c.Class == tokenizer.Whitespace || c.Class == tokenizer.Punctuation {
			meaningless, tokens = meaningless+c.Outliers, tokens+c.Tokens
		}
	}
	p.Tables = []report.Table{t}
	p.Finding = fmt.Sprintf("Special, white-space and punctuation tokens are %.1f %% of the tokens and %.1f %% of the outlier keys (%d texts).", 100*tokens, 100*meaningless, len(s.Prompts))
	return p, nil
}

// tokenRows is how many tokens of a text are listed.
const tokenRows = 64

// tokens lists a text's tokens with their classes.
func tokens(_ context.Context, j *job) error {
	m, err := j.open()
	if err != nil {
		return err
	}
	a, err := args[struct {
		Text string `json:"text"`
	}](j)
	if err != nil {
		return err
	}
	list := m.Tokenizer.Tokens(a.Text, !j.Options.NoBOS)
	t := report.Table{Name: "tokens", Title: fmt.Sprintf("The %d tokens of the text", len(list)), Columns: []string{"position", "token", "id", "class"}}
	for i, class := range tokenizer.Classify(a.Text, list) {
		if i == tokenRows {
			t.Title += fmt.Sprintf(", the first %d", tokenRows)
			break
		}
		piece := m.Tokenizer.Piece(list[i].ID)
		if !list[i].Special {
			piece = a.Text[list[i].Start:list[i].End]
		}
		t.Rows = append(t.Rows, []any{i, plot.Visible(piece), list[i].ID, class.String()})
	}
	return j.show(&report.Part{Method: "A class belongs to the token in its word: a piece inside a longer word has that word's class.", Tables: []report.Table{t}})
}
