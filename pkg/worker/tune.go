package worker

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/clean"
	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/corpus/source"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/train"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// tuneArgs are the recipe's parameters.
type tuneArgs struct {
	Grades       string  `json:"grades"`
	TrainItems   int     `json:"trainItems"`
	HeldOut      int     `json:"heldOut"`
	Sections     string  `json:"sections"`
	Method       string  `json:"method"`
	Rank         int     `json:"rank"`
	Alpha        float64 `json:"alpha"`
	Targets      string  `json:"targets"`
	Steps        int     `json:"steps"`
	Rows         int     `json:"rows"`
	Width        int     `json:"width"`
	LearningRate float64 `json:"learningRate"`
	ProbeEvery   int     `json:"probeEvery"`
	Eps          float64 `json:"eps"`
	Dir          string  `json:"dir"` // below work/ in the run's directory: data, checkpoints, model
}

// tuning is a tuning request: its items are split once.
type tuning struct {
	*job
	tuneArgs
	tune, measure []corpus.Item
}

// Files of a training run in the run's directory.
const (
	heldOutFile = "held-out.jsonl"
	modelDir    = "model"
)

// within is the path of a file in a training's folder.
func (j *job) within(dir, name string) string { return filepath.Join(j.RunDir, "work", dir, name) }

// tune answers "data" with the split, which it writes for the surveys and questions that follow, and "run" with the training, done or gone on with.
func tune(ctx context.Context, j *job) error {
	a, err := args[tuneArgs](j)
	if err != nil {
		return err
	}
	t := &tuning{job: j, tuneArgs: a}
	if err := t.split(ctx); err != nil {
		return err
	}
	switch j.View {
	case "data":
		if err := writeItems(j.within(t.Dir, heldOutFile), t.measure); err != nil {
			return err
		}
		part, err := t.data()
		if err != nil {
			return err
		}
		return j.show(part)
	case "run":
		part, err := t.run(ctx)
		if err != nil {
			return err
		}
		return j.show(part)
	}
	return fmt.Errorf("tuning has no view %q", j.View)
}

// writeItems writes items as a file that a later request reads.
func writeItems(path string, items []corpus.Item) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return env.WriteFile(path, 0o644, func(w io.Writer) error { return export.WriteJSONL(w, items) })
}

// split gives the items to tune on and those to measure on; a training text that shares 13 words in a row with one of those is left out.
func (t *tuning) split(ctx context.Context) error {
	if source.IsGenerated(t.Options.Items) {
		o := generate.Options{Seed: t.Options.Seed, Train: t.TrainItems, HeldOut: t.HeldOut}
		for _, g := range strings.Fields(t.Grades) {
			o.Grades = append(o.Grades, corpus.Grade(g))
		}
		c, err := generate.Generate(o)
		if err != nil {
			return client.Parameter("grades", t.Grades, "%v", err)
		}
		t.tune, t.measure = c.Train, c.HeldOut
	} else {
		path, err := t.path("items", t.Options.Items)
		if err != nil {
			return err
		}
		set, err := source.Open(ctx, path, source.Options{Columns: t.Options.Columns})
		if err != nil {
			return client.Parameter("items", t.Options.Items, "%v", err)
		}
		splitter, err := clean.NewSplitter(fmt.Sprint(t.Options.Seed), clean.Share{Name: "tune", Parts: 9}, clean.Share{Name: "measure", Parts: 1})
		if err != nil {
			return err
		}
		parts := splitter.Items(set.Items)
		t.tune, t.measure = parts["tune"], parts["measure"][:min(t.HeldOut, len(parts["measure"]))]
	}
	hits := clean.Decontaminate(slices.Values(clean.NamedItems(t.tune)), map[string][]clean.Named{"held-out": clean.NamedItems(t.measure)})
	t.tune = slices.DeleteFunc(t.tune, func(it corpus.Item) bool { return hits.Contaminated(it.ID) })
	if len(t.tune) == 0 || len(t.measure) == 0 {
		return client.Parameter("items", t.Options.Items, "%d items are left to tune on and %d to measure on: expected some of each", len(t.tune), len(t.measure))
	}
	return nil
}

// mask is what counts in the loss.
func (t *tuning) mask() corpus.Mask { return corpus.Mask{Sections: strings.Fields(t.Sections)} }

func (t *tuning) data() (*report.Part, error) {
	if err := t.mask().Check(corpus.ItemTemplate); err != nil {
		return nil, client.Parameter("sections", t.Sections, "%v", err)
	}
	first, err := corpus.ItemTemplate.Render(t.tune[0].Row())
	if err != nil {
		return nil, err
	}
	return &report.Part{Method: fmt.Sprintf("%d items to tune on, %d held out; no text to tune on shares 13 words in a row with a held-out item. The loss counts the sections %s.", len(t.tune), len(t.measure), t.Sections),
		Samples: []report.Sample{{Title: "One training text", Text: first.Text}}, Facts: map[string]any{"template": corpus.ItemTemplate.Hash()}}, nil
}

// Probes on the way look at so many documents and texts.
const (
	probeDocuments = 40
	probeTexts     = 24
)

// run tunes the model and saves it under the run's directory. A run that was killed continues from its last checkpoint.
func (t *tuning) run(ctx context.Context) (*report.Part, error) {
	m, err := t.freshModel()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	switch t.Method {
	case "lora":
		if err := m.AttachAdapter(model.Adapter{Rank: t.Rank, Alpha: t.Alpha, Targets: strings.Fields(t.Targets)}, t.Options.Seed); err != nil {
			return nil, client.Parameter("targets", t.Targets, "%v", err)
		}
	case "full":
	default:
		return nil, client.Parameter("method", t.Method, "expected lora or full")
	}
	documents := func(list []corpus.Item) train.Items {
		return train.Items{List: list, Template: corpus.ItemTemplate, Encoder: train.Encoder{Tokenizer: m.Tokenizer, Mask: t.mask()}}
	}
	feed, err := train.NewFeed(documents(t.tune), train.FeedOptions{Width: t.Width, Rows: t.Rows, Seed: t.Options.Seed})
	if err != nil {
		return nil, err
	}
	held, err := someDocuments(documents(t.measure), min(probeDocuments, len(t.measure)))
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, it := range t.measure[:min(probeTexts, len(t.measure))] {
		text, err := corpus.ItemTemplate.Render(it.Row())
		if err != nil {
			return nil, err
		}
		texts = append(texts, text.Text)
	}
	length := cmp.Or(t.Options.Length, defaultLength)
	r := &trainingRun{job: t.job, texts: texts, length: length, eps: t.Eps, name: t.name()}
	found, err := r.train(ctx, m, feed, train.Options{Steps: t.Steps, Dir: t.within(t.Dir, "checkpoints"), Corpus: corpus.ItemTemplate.Hash() + fmt.Sprint(len(t.tune)),
		Optimizer: train.AdamW{Schedule: train.Schedule{Peak: t.LearningRate}},
		Probes:    []train.Probe{{Name: "held-out", Every: t.ProbeEvery, Run: train.HeldOut(held, t.Width, t.Rows, m.DType)}, {Name: "sinks", Every: t.ProbeEvery, Run: r.sinks}}})
	if err != nil {
		return nil, err
	}
	if t.Method == "lora" {
		if err := train.SaveAdapter(m, filepath.Join(t.RunDir, "adapter"), t.Options.Model); err != nil {
			return nil, err
		}
		if err := m.MergeAdapter(); err != nil {
			return nil, err
		}
	}
	if err := m.Save(t.within(t.Dir, modelDir), m.DType); err != nil {
		return nil, err
	}
	p, loss := r.part(found, m)
	p.Method = fmt.Sprintf("%s, %d steps of %d rows of %d tokens: %d tokens of %d items at %.0f tokens/s on %s.", t.Method, t.Steps, t.Rows, t.Width, found.Tokens, len(t.tune),
		float64(found.Tokens)/found.Duration.Seconds(), backend.Describe(m.Backend))
	if n := len(loss.Y); n > 0 {
		p.Numbers = []report.Number{{Name: "held-out loss/before", Value: loss.Y[0], Unit: "nats per token", N: len(held), Tolerance: 1e-3},
			{Name: "held-out loss/after", Value: loss.Y[n-1], Unit: "nats per token", N: len(held), Tolerance: 0.02}}
		p.Finding = fmt.Sprintf("The loss on held-out items is %.3f nats a token before tuning and %.3f after.", loss.Y[0], loss.Y[n-1])
	}
	return p, nil
}

// freshModel is a copy of the request's model that training may change; the session's is freed, since two may not fit.
func (t *tuning) freshModel() (*model.Model, error) {
	dir, err := t.path("model", t.Options.Model)
	if err != nil {
		return nil, err
	}
	t.closeModel()
	if err := t.oneDevice("training"); err != nil {
		return nil, err
	}
	b, err := t.backend()
	if err != nil {
		return nil, err
	}
	m, err := model.Load(dir, model.Options{Backend: b, DType: dtypes.Float32})
	if err != nil {
		return nil, client.Parameter("model", t.Options.Model, "%v", err)
	}
	return m, nil
}

func someDocuments(s train.Source, n int) ([]train.Document, error) {
	var out []train.Document
	for i := range n {
		d, err := s.Document(i)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// drawEvery is how often the curve of a loss is drawn while it grows.
const drawEvery = 2 * time.Second

// trainingRun watches a run: the loss, and attention on position 0 of a few texts.
type trainingRun struct {
	*job
	texts  []string
	length int
	eps    float64
	name   string
	batch  int
}

func (r *trainingRun) train(ctx context.Context, m *model.Model, feed *train.Feed, o train.Options) (*train.Report, error) {
	loss := plot.Series{Name: "loss"}
	drawn := time.Now()
	o.OnRow = func(row train.Row) {
		if row.Step == 0 {
			return
		}
		p := &client.Progress{Stage: "training", Done: row.Step, Total: o.Steps, Point: &client.Point{Step: row.Step, Name: "loss", Value: row.Loss, Speed: row.Speed()}}
		loss.X, loss.Y = append(loss.X, float64(row.Step)), append(loss.Y, row.Loss)
		if time.Since(drawn) >= drawEvery && len(loss.X) > 1 {
			if png, err := (plot.Curves{Series: []plot.Series{loss}, XLabel: "step", YLabel: "loss"}).PNG(); err == nil { // a picture less, not a run
				p.Curve, drawn = png, time.Now()
			}
		}
		r.out.send(client.Event{Progress: p})
	}
	r.progress("training: compiling", 0, o.Steps)
	return train.Run(ctx, m, feed, o)
}

// sinks is a probe of attention on position 0.
func (r *trainingRun) sinks(m *model.Model, _ int) (map[string]float64, error) {
	var ids [][]int
	for _, text := range r.texts {
		ids = append(ids, m.Tokenizer.Encode(text))
	}
	s, err := sink.Run(m, ids, sink.Options{T: r.length})
	if err != nil {
		return nil, err
	}
	rate, err := s.SinkRate(0, r.eps)
	if err != nil {
		return nil, err
	}
	most := 0.0
	for _, layer := range s.FirstMass() {
		most = max(most, slices.Max(layer))
	}
	return map[string]float64{"rate": rate.Value, "most": most}, nil
}

// part is the run as table and curves; the second result is the held-out loss.
func (r *trainingRun) part(found *train.Report, m *model.Model) (*report.Part, plot.Series) {
	loss, held := plot.Series{Name: "training"}, plot.Series{Name: "held out"}
	rate, most := plot.Series{Name: fmt.Sprintf("sink rate at eps %g", r.eps)}, plot.Series{Name: "most that a head gives position 0"}
	add := func(s *plot.Series, step int, y float64) { s.X, s.Y = append(s.X, float64(step)), append(s.Y, y) }
	t := report.Table{Name: "training", Title: "The run", Columns: []string{"step", "tokens", "loss", "held-out loss", "sink rate of position 0", "most that a head gives it", "learning rate", "tokens/s", "utilisation"}}
	for _, row := range found.Rows {
		line := []any{row.Step, row.Tokens, nil, nil, nil, nil, row.Rate, row.TokensPerSecond, nil}
		if row.Loss > 0 {
			add(&loss, row.Step, row.Loss)
			line[2] = row.Loss
		}
		if v, ok := row.Values["held-out.loss"]; ok {
			add(&held, row.Step, v)
			add(&rate, row.Step, row.Values["sinks.rate"])
			add(&most, row.Step, row.Values["sinks.most"])
			line[3], line[4], line[5] = v, row.Values["sinks.rate"], row.Values["sinks.most"]
		}
		if row.Utilisation > 0 {
			line[8] = row.Utilisation
		}
		t.Rows = append(t.Rows, line)
	}
	return &report.Part{
		Figures: []report.Figure{
			{Name: "loss", Title: "Loss", Caption: "mean negative log-likelihood of the tokens that count, in training since the last point and on held-out documents", Table: &t,
				Chart: plot.Curves{Series: []plot.Series{loss, held}, Title: "Loss", XLabel: "step", YLabel: "nats per weighted token"}},
			{Name: "sinks-over-steps", Title: "Attention on position 0 while training", Caption: fmt.Sprintf("%s, all layers and heads, %d held-out texts of %d tokens, post-softmax", r.name, len(r.texts), r.length),
				Chart: plot.Curves{Series: []plot.Series{rate, most}, Title: "Attention on position 0 while training", XLabel: "step", YLabel: "share"}}},
		Facts: map[string]any{"device": backend.Describe(m.Backend), "base model": m.Source},
	}, held
}
