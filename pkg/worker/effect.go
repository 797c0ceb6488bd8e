package worker

import (
	"context"
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/hf/chat"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// effect measures texts twice, plainly and under the arm's intervention.
func effect(ctx context.Context, j *job) error {
	m, err := j.open()
	if err != nil {
		return err
	}
	_, ids, err := j.encoded(m)
	if err != nil {
		return err
	}
	plan, err := j.plan(j.arms()[0], m)
	if err != nil {
		return err
	}
	key := "effect " + surveyKey(j.session.key, plan.Hash(), ids)
	measured, ok := j.session.effects[key]
	if !ok {
		if measured, err = j.effects(ctx, plan, ids); err != nil {
			return err
		}
		j.session.effects[key] = measured
	}
	switch j.View {
	case "rows":
		return j.show(j.effectRows(measured, m))
	case "logits":
		return j.show(j.effectLogits(measured))
	}
	return fmt.Errorf("an effect has no view %q", j.View)
}

// effects are what Measure found, text by text.
type effects struct{ plain, changed []sink.Effect }

// effects measures what the store does not have. In a part of a submission that is all: errPartDone.
func (j *job) effects(ctx context.Context, plan emulate.Plan, ids [][]int) (e effects, err error) {
	results, of, o, err := j.keptTexts(len(ids), j.ticker("effect of "+j.arms()[0].Name, len(ids)))
	if err != nil {
		return e, err
	}
	if e.plain, e.changed, err = sink.KeptEffects(ctx, results, of, plan, ids, o); err == nil && j.session.part != nil {
		err = errPartDone
	}
	return e, err
}

// keptTexts is what measuring texts one by one takes: the store, what results depend on, and how it is gone about. In a part of a submission what is stored is noted there.
func (j *job) keptTexts(texts int, progress func(more int)) (*store.Store, store.Job, sink.TextOptions, error) {
	o := sink.TextOptions{Run: j.runName(), Part: j.share(), Known: j.known(), Progress: progress, Open: j.runner}
	if p := j.session.part; p != nil {
		o.Stored = func(key store.Key, items []string) {
			p.answered = append(p.answered, cluster.Answered{Jobs: []store.Key{key}, Items: items, Of: texts})
		}
	}
	results, err := j.store()
	if err != nil {
		return nil, store.Job{}, o, err
	}
	r, err := j.runner()
	if err != nil {
		return nil, store.Job{}, o, err
	}
	of, err := j.resultJob(r)
	return results, of, o, err
}

func (j *job) effectRows(e effects, m *model.Model) *report.Part {
	p := &report.Part{Method: "A row is one query's attention over the keys; its entropy is that of the row brought to sum one. Means over heads, queries and texts."}
	t := report.Table{Name: "attention", Title: "Attention by layer, plain and with the intervention", Columns: []string{"layer"}}
	for l := range m.Config.Layers {
		t.Rows = append(t.Rows, []any{l})
	}
	caption := fmt.Sprintf("%s, mean over heads, queries and %d texts, post-softmax after the intervention", j.name(), len(e.plain))
	for i, side := range []struct {
		name, unit string
		of         func(sink.Effect) []float64
	}{
		{"sum of a row", "attention", func(e sink.Effect) []float64 { return e.RowSum }},
		{"entropy of a row", "nats", func(e sink.Effect) []float64 { return e.RowEntropy }},
		{"attention on position 0", "attention", func(e sink.Effect) []float64 { return e.FirstMass }},
	} {
		plain, changed := overTexts(e.plain, side.of), overTexts(e.changed, side.of)
		t.Columns = append(t.Columns, side.name+", plain", side.name+", changed")
		var x []float64
		for l := range plain {
			t.Rows[l] = append(t.Rows[l], plain[l], changed[l])
			x = append(x, float64(l))
		}
		p.Figures = append(p.Figures, report.Figure{Name: fmt.Sprintf("rows-%d", i+1), Title: side.name + ", by layer", Caption: caption,
			Chart: plot.Curves{Title: side.name, XLabel: "layer", YLabel: side.unit, Series: []plot.Series{{Name: "plain", X: x, Y: plain}, {Name: "with the intervention", X: x, Y: changed}}}})
	}
	p.Tables = []report.Table{t}
	return p
}

// overTexts averages one of an effect's lists over texts.
func overTexts(list []sink.Effect, of func(sink.Effect) []float64) []float64 {
	out := make([]float64, len(of(list[0])))
	for _, e := range list {
		for l, x := range of(e) {
			out[l] += x / float64(len(list))
		}
	}
	return out
}

func (j *job) effectLogits(e effects) *report.Part {
	each := func(list []sink.Effect, of func(sink.Effect) float64) []float64 {
		out := make([]float64, len(list))
		for i := range list {
			out[i] = of(list[i])
		}
		return out
	}
	zero := make([]float64, len(e.changed))
	entropy := func(e sink.Effect) float64 { return e.Entropy }
	rows := []struct {
		name, unit string
		c          stats.Change
	}{
		{"KL(plain || changed) per position", "nats", stats.PairedMean(each(e.changed, func(e sink.Effect) float64 { return e.KL }), zero, j.Options.Seed)},
		{"positions whose most probable token changes", "share", stats.PairedMean(each(e.changed, func(e sink.Effect) float64 { return 1 - e.SameTop }), zero, j.Options.Seed)},
		{"entropy of the next token, changed minus plain", "nats", stats.PairedMean(each(e.changed, entropy), each(e.plain, entropy), j.Options.Seed)},
	}
	p := &report.Part{Method: "Every text runs twice, plainly and with the intervention; each number is the mean over texts of a difference within a text, with a bootstrap interval over texts.",
		Facts: map[string]any{"plan": strings.Join(e.changed[0].Plan, "; ")}}
	t := report.Table{Name: "logits", Title: "The next token", Columns: []string{"what", "mean over texts", "95 % interval"}}
	for _, r := range rows {
		ci := r.c.CI95
		p.Numbers = append(p.Numbers, report.Number{Name: r.name, Value: r.c.Mean, Unit: r.unit, N: r.c.N, CI95: &ci, Tolerance: 1e-3})
		t.Rows = append(t.Rows, []any{r.name + ", " + r.unit, r.c.Mean, fmt.Sprintf("%.4g to %.4g", ci.Low, ci.High)})
	}
	p.Tables = []report.Table{t}
	p.Finding = fmt.Sprintf("On %d texts the intervention moves the next token's distribution by %.4g nats a position (KL), changes the most probable token at %.1f %% of positions and the entropy by %+.4g nats (95 %% interval %+.4g to %+.4g). Whether answers get better is not measured here.",
		len(e.changed), rows[0].c.Mean, 100*rows[1].c.Mean, rows[2].c.Mean, rows[2].c.CI95.Low, rows[2].c.CI95.High)
	return p
}

// generateArgs ask for text.
type generateArgs struct {
	Prompt string `json:"prompt"` // "" = the first item's, and its analysis where it has one
	Tokens int    `json:"tokens"`
}

// generateText continues a prompt greedily under every arm and says where the texts part.
func generateText(ctx context.Context, j *job) error {
	a, err := args[generateArgs](j)
	if err != nil {
		return err
	}
	m, err := j.open()
	if err != nil {
		return err
	}
	switch {
	case a.Prompt == "":
		task, err := j.task()
		if err != nil {
			return err
		}
		a.Prompt = task.Examples[0].Prompt
		if open, ends := strings.CutSuffix(a.Prompt, "Response:"); ends {
			a.Prompt = open + "Analysis:" // the section before the answer in generated items
		}
	case j.Options.Chat:
		template, err := j.chatTemplate(ctx)
		if err != nil {
			return client.Parameter("chat", "true", "%v", err)
		}
		if a.Prompt, err = template.Render([]chat.Message{{Role: "user", Content: a.Prompt}}, chat.Options{AddGenerationPrompt: true}); err != nil {
			return client.Parameter("chat", "true", "%v", err)
		}
	}
	ids := m.Tokenizer.Encode(a.Prompt)
	if j.Options.Chat || j.Options.NoBOS {
		ids = m.Tokenizer.EncodePlain(a.Prompt)
	}
	if len(ids) >= m.Config.MaxPositions {
		return client.Parameter("prompt", firstWords(a.Prompt), "it has %d tokens, the model has %d positions", len(ids), m.Config.MaxPositions)
	}
	p := &report.Part{Method: "The same prompt continued greedily, each intervention acting in prefill and in every step as its phase says.", Samples: []report.Sample{{Title: "Prompt", Text: a.Prompt}}}
	var first []int
	var texts []string
	for i, arm := range j.arms() {
		exp, err := j.experiment(arm, m)
		if err != nil {
			return err
		}
		j.progress("writing, "+arm.Name, i, len(j.arms()))
		g, err := m.Generate([][]int{ids}, model.GenerateOptions{MaxTokens: min(a.Tokens, m.Config.MaxPositions-len(ids))}, exp)
		if err != nil {
			return err
		}
		got := g.Tokens[0]
		texts = append(texts, m.Tokenizer.Decode(got))
		p.Samples = append(p.Samples, report.Sample{Title: arm.Name, Text: texts[i]})
		if i == 0 {
			first = got
			continue
		}
		same := 0
		for same < min(len(first), len(got)) && first[same] == got[same] {
			same++
		}
		name := "greedy tokens before the texts part"
		if len(j.arms()) > 2 {
			name += ", " + arm.Name
		}
		p.Numbers = append(p.Numbers, report.Number{Name: name, Value: float64(same), Unit: "tokens", N: 1})
	}
	if err := j.reply(texts); err != nil {
		return err
	}
	return j.show(p)
}

func firstWords(text string) string {
	if len(text) > 40 {
		return strings.ToValidUTF8(text[:40], "") + "..."
	}
	return text
}
