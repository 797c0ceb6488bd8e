package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/train"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// pretrainArgs are the recipe's parameters.
type pretrainArgs struct {
	Out          string  `json:"out"`
	TrainItems   int     `json:"trainItems"`
	GradedItems  int     `json:"gradedItems"`
	Grades       string  `json:"grades"`
	HeldOut      int     `json:"heldOut"`
	Sections     string  `json:"sections"`
	Shots        int     `json:"shots"`
	Vocab        int     `json:"vocab"`
	Hidden       int     `json:"hidden"`
	Intermediate int     `json:"intermediate"`
	Layers       int     `json:"layers"`
	Heads        int     `json:"heads"`
	KVHeads      int     `json:"kvHeads"`
	Positions    int     `json:"positions"`
	Steps        int     `json:"steps"`
	Width        int     `json:"width"`
	Batch        int     `json:"batch"`
	Compute      string  `json:"compute"`
	LearningRate float64 `json:"learningRate"`
	Floor        float64 `json:"floor"`
	WeightDecay  float64 `json:"weightDecay"`
	Probes       int     `json:"probes"`
	PeakFLOPs    float64 `json:"peakFLOPs"`
	Dir          string  `json:"dir"` // below work/ in the run's directory
}

// pretraining is a request: its corpus has items of the first edition and items at the grades.
type pretraining struct {
	*job
	pretrainArgs
	plain, graded         *generate.Corpus
	plainHash, gradedHash string // of their items
}

// Samples that the tokenizer is trained on, and texts that probes look at.
const (
	tokenizerItems = 8000 // of each kind: a few thousand documents hold every pair of the tables that the generator draws from
	pretrainProbes = 64
	tokenizerFile  = "tokenizer.json"
	firstEdition   = "generated.jsonl" // held-out items of the generator's first edition; those at the grades are named by them
)

// pretrain answers "data" with the corpus and its tokenizer, and "run" with the training.
func pretrain(ctx context.Context, j *job) error {
	a, err := args[pretrainArgs](j)
	if err != nil {
		return err
	}
	p := &pretraining{job: j, pretrainArgs: a}
	if err := p.generate(); err != nil {
		return err
	}
	tok, err := p.tokenizer()
	if err != nil {
		return err
	}
	var part *report.Part
	switch j.View {
	case "data":
		part, err = p.data(tok)
	case "run":
		part, err = p.run(ctx, tok)
	default:
		err = fmt.Errorf("pre-training has no view %q", j.View)
	}
	if err != nil {
		return err
	}
	return j.show(part)
}

func (p *pretraining) generate() error {
	var grades []corpus.Grade
	for _, g := range strings.Fields(p.Grades) {
		grades = append(grades, corpus.Grade(g))
	}
	var err error
	if p.plain, err = generate.Generate(generate.Options{Seed: p.Options.Seed, Train: p.TrainItems, HeldOut: p.HeldOut}); err != nil {
		return client.Parameter("trainItems", fmt.Sprint(p.TrainItems), "%v", err)
	}
	if p.graded, err = generate.Generate(generate.Options{Seed: p.Options.Seed, Train: p.GradedItems, HeldOut: p.HeldOut, Grades: grades}); err != nil {
		return client.Parameter("grades", p.Grades, "%v", err)
	}
	if p.plainHash, err = contentHash(p.plain); err == nil {
		p.gradedHash, err = contentHash(p.graded)
	}
	return err
}

// contentHash identifies a generated corpus.
func contentHash(c *generate.Corpus) (string, error) {
	card, err := export.Generated(c.Seed, c.Grades, c.Train, c.HeldOut).Card()
	if err != nil {
		return "", err
	}
	return card.ContentHash, nil
}

// tokenizer is trained once; a run that continues reads it.
func (p *pretraining) tokenizer() (*tokenizer.Tokenizer, error) {
	path := p.within(p.Dir, tokenizerFile)
	tok, err := tokenizer.Load(path)
	if err == nil && tok.VocabSize() == p.Vocab {
		return tok, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p.progress("training the tokenizer", 0, 0)
	var sample []string
	for _, it := range slices.Concat(p.plain.Train[:min(tokenizerItems, len(p.plain.Train))], p.graded.Train[:min(tokenizerItems, len(p.graded.Train))]) {
		sample = append(sample, it.Text())
	}
	if tok, err = tokenizer.TrainBPE(slices.Values(sample), tokenizer.TrainOptions{VocabSize: p.Vocab}); err != nil {
		return nil, client.Parameter("vocab", fmt.Sprint(p.Vocab), "%v", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return tok, tok.Save(path)
}

// mask weighs the sections: names and weights in pairs.
func (p *pretraining) mask() (corpus.Mask, error) {
	m := corpus.Mask{Weights: map[string]float32{}, Headings: true}
	fields := strings.Fields(p.Sections)
	if len(fields)%2 != 0 {
		return m, client.Parameter("sections", p.Sections, "expected names and weights in pairs, such as \"Response 4\"")
	}
	for i := 0; i < len(fields); i += 2 {
		w, err := strconv.ParseFloat(fields[i+1], 32)
		if err != nil {
			return m, client.Parameter("sections", p.Sections, "%q is no number", fields[i+1])
		}
		m.Weights[fields[i]] = float32(w)
	}
	if err := m.Check(corpus.ItemTemplate); err != nil {
		return m, client.Parameter("sections", p.Sections, "%v", err)
	}
	return m, nil
}

func (p *pretraining) data(tok *tokenizer.Tokenizer) (*report.Part, error) {
	if _, err := p.mask(); err != nil {
		return nil, err
	}
	first, err := corpus.ItemTemplate.Render(p.graded.Train[0].Row())
	if err != nil {
		return nil, err
	}
	for name, items := range map[string][]corpus.Item{firstEdition: p.plain.HeldOut, "generated-" + strings.ReplaceAll(p.Grades, " ", "-") + ".jsonl": p.graded.HeldOut} {
		if err := writeItems(p.within(p.Dir, name), items); err != nil {
			return nil, err
		}
	}
	return &report.Part{
		Method: fmt.Sprintf("%d items to train on: %d of the generator's first edition and %d at the grades %s; %d of each kind are held out. The byte-level BPE tokenizer has %d tokens; the first document has %d.",
			len(p.plain.Train)+len(p.graded.Train), len(p.plain.Train), len(p.graded.Train), p.Grades, p.HeldOut, tok.VocabSize(), len(tok.Encode(first.Text))),
		Samples: []report.Sample{{Title: "One training document", Text: first.Text}},
		Facts:   map[string]any{"corpus, first edition": p.plainHash, "corpus, graded": p.gradedHash, "tokenizer": tok.Hash()}}, nil
}

// source gives each item twice, with its analysis and without, as many to a document as shots says.
func (p *pretraining) source(tok *tokenizer.Tokenizer, items []corpus.Item) (train.Source, error) {
	mask, err := p.mask()
	if err != nil {
		return nil, err
	}
	bos, _ := tok.BOS()
	eos, _ := tok.EOS()
	var all train.Concat
	for _, layout := range []string{corpus.TextTemplate, corpus.PromptTemplate + " {letter}\n"} {
		template, err := corpus.ParseTemplate(layout)
		if err != nil {
			return nil, err
		}
		alone := train.Items{List: items, Template: template, Encoder: train.Encoder{Tokenizer: tok, Mask: mask}}
		all = append(all, train.Shots{Source: alone, N: p.Shots, Crop: p.Shots > 1, BOS: int32(bos), EOS: int32(eos)})
	}
	return all, nil
}

// modelDir is where the model goes.
func (p *pretraining) modelDir() string {
	if p.Out == "" {
		return p.within(p.Dir, modelDir)
	}
	if filepath.IsAbs(p.Out) || len(p.Dirs) == 0 {
		return p.Out
	}
	return filepath.Join(p.Dirs[0], p.Out)
}

func (p *pretraining) run(ctx context.Context, tok *tokenizer.Tokenizer) (*report.Part, error) {
	products, ok := map[string]dtypes.DType{"float32": dtypes.Float32, "bfloat16": dtypes.BFloat16}[p.Compute]
	if !ok {
		return nil, client.Parameter("compute", p.Compute, "expected float32 or bfloat16")
	}
	bos, _ := tok.BOS()
	eos, _ := tok.EOS()
	config := &model.Config{ModelType: "llama", VocabSize: p.Vocab, HiddenSize: p.Hidden, IntermediateSize: p.Intermediate, Layers: p.Layers, Heads: p.Heads, KVHeads: p.KVHeads, HeadDim: p.Hidden / max(1, p.Heads),
		MaxPositions: p.Positions, NormEps: 1e-5, RopeTheta: 10000, TieEmbeddings: true, BOS: bos, EOS: []int{eos}, InitializerRange: 0.02}
	p.closeModel()
	if err := p.oneDevice("training"); err != nil {
		return nil, err
	}
	b, err := p.backend()
	if err != nil {
		return nil, err
	}
	m, err := model.New(config, tok, p.Options.Seed, model.Options{Backend: b})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	items, err := p.source(tok, slices.Concat(p.plain.Train, p.graded.Train))
	if err != nil {
		return nil, err
	}
	feed, err := train.NewFeed(items, train.FeedOptions{Width: p.Width, Rows: p.Batch, Seed: p.Options.Seed})
	if err != nil {
		return nil, err
	}
	held := slices.Concat(p.plain.HeldOut, p.graded.HeldOut)
	heldSource, err := p.source(tok, held)
	if err != nil {
		return nil, err
	}
	documents, err := someDocuments(heldSource, min(pretrainProbes, len(held)))
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, it := range held[:min(pretrainProbes, len(held))] {
		texts = append(texts, it.Text())
	}
	r := &trainingRun{job: p.job, texts: texts, length: sink.DefaultT, eps: sink.DefaultEps, name: "the model"}
	every := max(1, p.Steps/max(1, p.Probes))
	found, err := r.train(ctx, m, feed, train.Options{Steps: p.Steps, Dir: p.within(p.Dir, "checkpoints"), Corpus: p.plainHash + p.gradedHash, Compute: products, PeakFLOPs: p.PeakFLOPs,
		Optimizer: train.AdamW{Schedule: train.Schedule{Peak: p.LearningRate, Floor: orNone(p.Floor)}, WeightDecay: orNone(p.WeightDecay)},
		Probes:    []train.Probe{{Name: "held-out", Every: every, Run: train.HeldOut(documents, p.Width, p.Batch, products)}, {Name: "sinks", Every: every, Run: r.sinks}}})
	if err != nil {
		return nil, err
	}
	if err := m.Save(p.modelDir(), dtypes.BFloat16); err != nil {
		return nil, err
	}
	part, loss := r.part(found, m)
	part.Method = fmt.Sprintf("%d parameters, %d steps of %d rows of %d tokens, %.2f million tokens at %.0f tokens/s (probes and checkpoints included) on %s.", config.NumParameters(), p.Steps, p.Batch, p.Width,
		float64(found.Tokens)/1e6, float64(found.Tokens)/found.Duration.Seconds(), backend.Describe(m.Backend))
	for i := len(found.Rows) - 1; i >= 0; i-- {
		if found.Rows[i].Loss > 0 {
			part.Numbers = append(part.Numbers, report.Number{Name: "loss", Value: found.Rows[i].Loss, Unit: "nats per weighted token", N: p.Steps, Tolerance: 0.05})
			break
		}
	}
	if n := len(loss.Y); n > 0 {
		part.Numbers = append(part.Numbers, report.Number{Name: "held-out loss", Value: loss.Y[n-1], Unit: "nats per weighted token", N: len(documents), Tolerance: 0.05})
	}
	return part, nil
}

// orNone is x, and for 0 what the optimizer takes for none: its own 0 means a default.
func orNone(x float64) float64 {
	if x == 0 {
		return -1
	}
	return x
}
