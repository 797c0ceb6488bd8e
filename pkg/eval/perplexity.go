package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/store"
)

// Windows say how a document longer than the context is read: in windows that move on by a stride, each token being predicted once, by the
// window that shows most of what stands before it. The zero value takes windows of the model's context and strides of half of it.
type Windows struct {
	Window int `json:"window"` // tokens; 0 = the model's context
	Stride int `json:"stride"` // tokens; 0 = half a window. A stride of the whole window is fastest and gives tokens least context
}

// fill in what the model decides, and check.
func (w Windows) fill(context int) (Windows, error) {
	if w.Window == 0 {
		w.Window = context
	}
	if w.Stride == 0 {
		w.Stride = max(1, w.Window/2)
	}
	if w.Window < 2 || w.Window > context || w.Stride < 1 || w.Stride > w.Window {
		return w, fmt.Errorf("eval: windows of %d tokens with strides of %d: expected 2 to %d, the model's context, and a stride of 1 to a window", w.Window, w.Stride, context)
	}
	return w, nil
}

// sequences lays a document out: every token but the first is a target once.
func (w Windows) sequences(tokens []int) []engine.Sequence {
	var out []engine.Sequence
	predicted := 1                                                                      // tokens before it have been predicted, or are the first
	for begin := 0; predicted < len(tokens); begin = min(begin+w.Stride, predicted-1) { // a window shows at least one token before those it predicts
		end := min(begin+w.Window, len(tokens))
		q := engine.Sequence{Tokens: tokens[begin : end-1]} // the last token is only predicted
		for at := max(predicted, begin+1); at < end; at++ {
			q.Targets = append(q.Targets, model.Target{Position: at - 1 - begin, Token: tokens[at]})
		}
		predicted = end
		out = append(out, q)
	}
	return out
}

// Loss of a document: the negative log-likelihood of its tokens, in nats, and how many were predicted.
type Loss struct {
	Sum    float64 `json:"sum"`
	Tokens int     `json:"tokens"`
}

// LossRow is an arm's loss over all documents.
type LossRow struct {
	Arm        string         `json:"arm"`
	Documents  int            `json:"documents"`
	Tokens     int            `json:"tokens"`     // predicted
	Loss       float64        `json:"loss"`       // nats a token: sum of losses / sum of tokens
	CI95       stats.Interval `json:"ci95"`       // bootstrap over documents
	Perplexity float64        `json:"perplexity"` // exp(Loss)
	// Versus is the loss minus the first arm's, paired by document; nil for the first arm.
	Versus *stats.Change `json:"versus,omitempty"`
}

// LossOptions of [Perplexity]; its fields are those of [Options].
type LossOptions struct {
	Windows
	Runner   func() (*engine.Runner, error)
	Store    *store.Store
	Job      store.Job
	Run      string
	Seed     uint64 // of the bootstrap
	Plain    bool   // documents are encoded as they stand, without the tokens that the tokenizer adds
	Progress func(engine.Progress)
	Known    bool // a loss that the store does not have is an error: nothing is computed
}

// LossPart measures and stores the losses of the documents of one part under every arm. Perplexity, on a store that unites all parts, finds every loss there.
func LossPart(ctx context.Context, documents []string, arms []Arm, o LossOptions, part store.Part) (Answered, error) {
	a := Answered{Of: len(documents)}
	var own []string
	for _, text := range documents {
		if item := hashOf(text); part.Has(item) {
			own, a.Items = append(own, text), append(a.Items, item)
		}
	}
	r, err := o.start()
	if err != nil {
		return Answered{}, err
	}
	if o.Progress != nil {
		defer r.Watch(o.Progress)()
	}
	for _, arm := range arms {
		job := o.job(arm)
		if o.Store == nil || job.Code == "" {
			return Answered{}, fmt.Errorf("eval: arm %s: a part needs a store and results that can be named: nothing else leaves it", arm.Name)
		}
		if _, err := o.losses(ctx, r, own, arm); err != nil {
			return Answered{}, fmt.Errorf("eval: arm %s: %w", arm.Name, err)
		}
		a.Jobs = append(a.Jobs, job.Key())
	}
	return a, nil
}

// start opens the runner and fills in what the model decides.
func (o *LossOptions) start() (*engine.Runner, error) {
	r, err := o.Runner()
	if err != nil {
		return nil, err
	}
	if r.Model().Tokenizer == nil {
		return nil, errors.New("eval: the model has no tokenizer.json, and documents are text: put one into its directory")
	}
	o.Windows, err = o.Windows.fill(r.Model().Config.MaxPositions)
	return r, err
}

// job is what an arm's losses are stored under; its code is unknown where they are not.
func (o LossOptions) job(arm Arm) store.Job {
	job := o.Job
	job.Kind, job.Prompt, job.Arm = "loss", fmt.Sprintf("windows of %d, stride %d", o.Window, o.Stride), arm.JSON()
	if o.Plain {
		job.Prompt += ", plain"
	}
	if job.Model == "" || arm.Experiment != nil {
		job.Code = ""
	}
	return job
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Perplexity measures the mean negative log-likelihood per token of documents under every arm, and compares each with the first, paired by
// document. Losses of a document are stored as it is read; calling again continues from there. Documents of one token have nothing to
// predict and are refused.
func Perplexity(ctx context.Context, documents []string, arms []Arm, o LossOptions) ([]LossRow, error) {
	if len(documents) == 0 || len(arms) == 0 || o.Runner == nil {
		return nil, fmt.Errorf("eval: perplexity of %d documents under %d arms: expected some of both, and a runner", len(documents), len(arms))
	}
	r, err := o.start()
	if err != nil {
		return nil, err
	}
	if o.Progress != nil {
		defer r.Watch(o.Progress)()
	}
	losses := make([][]Loss, len(arms))
	for a, arm := range arms {
		if arm.Answer != nil || arm.Runner != nil {
			return nil, fmt.Errorf("eval: arm %s answers in a way, or has a model, of its own: a loss is that of documents under an intervention", arm.Name)
		}
		if losses[a], err = o.losses(ctx, r, documents, arm); err != nil {
			return nil, fmt.Errorf("eval: arm %s: %w", arm.Name, err)
		}
	}
	sums := func(list []Loss) (loss, tokens []float64) {
		for _, l := range list {
			loss, tokens = append(loss, l.Sum), append(tokens, float64(l.Tokens))
		}
		return loss, tokens
	}
	first, _ := sums(losses[0])
	rows := make([]LossRow, len(arms))
	for a, arm := range arms {
		loss, tokens := sums(losses[a])
		row := LossRow{Arm: arm.Name, Documents: len(documents), CI95: stats.RatioInterval(loss, tokens, o.Seed)}
		total := 0.0
		for i, l := range losses[a] {
			row.Tokens += l.Tokens
			total += loss[i]
		}
		row.Loss = total / float64(row.Tokens)
		row.Perplexity = math.Exp(row.Loss)
		if a > 0 {
			change := stats.PairedRatio(loss, first, tokens, o.Seed)
			row.Versus = &change
		}
		rows[a] = row
	}
	return rows, nil
}

// losses of all documents under an arm: what the store knows, and the rest computed.
func (o LossOptions) losses(ctx context.Context, r *engine.Runner, documents []string, arm Arm) (losses []Loss, err error) {
	e, err := arm.experiment()
	if err != nil {
		return nil, err
	}
	job := o.job(arm)
	stored := o.Store != nil && job.Code != ""
	known := map[string]store.Record{}
	var writer *store.Writer
	if stored {
		if known, err = o.Store.Load(job); err != nil {
			return nil, err
		}
		run := o.Run
		if run == "" {
			run = "run"
		}
		if !o.Known {
			if writer, err = o.Store.Writer(job, run); err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, writer.Close()) }()
		}
	}
	encode := r.Model().Tokenizer.Encode
	if o.Plain {
		encode = r.Model().Tokenizer.EncodePlain
	}
	losses = make([]Loss, len(documents))
	hashes := make([]string, len(documents))
	var qs []engine.Sequence
	var owner []int
	left, first := make([]int, len(documents)), make([]int, len(documents)) // windows to come, and the first one's place in qs
	for i, text := range documents {
		hashes[i] = hashOf(text)
		if record, ok := known[hashes[i]]; ok {
			if err := json.Unmarshal(record.Data, &losses[i]); err != nil {
				return nil, fmt.Errorf("document %d: the store's record of run %s: %w", i, record.Run, err)
			}
			continue
		}
		if o.Known {
			return nil, fmt.Errorf("the loss of document %d (%.40q) is not in the store, and nothing is to be computed", i, text)
		}
		list := o.sequences(encode(text))
		if len(list) == 0 {
			return nil, fmt.Errorf("document %d (%.40q) has fewer than two tokens: there is nothing to predict", i, text)
		}
		left[i], first[i] = len(list), len(qs)
		for _, q := range list {
			losses[i].Tokens += len(q.Targets)
			qs, owner = append(qs, q), append(owner, i)
		}
	}
	if len(qs) == 0 {
		return losses, nil
	}
	windows := make([]float64, len(qs))
	return losses, r.Score(ctx, qs, e, func(q int, logProbs []float64) error {
		i := owner[q]
		for _, p := range logProbs {
			windows[q] -= p
		}
		if left[i]--; left[i] > 0 {
			return nil
		}
		for w := first[i]; w < len(qs) && owner[w] == i; w++ { // in order: windows come in none, and sums depend on it
			losses[i].Sum += windows[w]
		}
		if !stored {
			return nil
		}
		data, err := json.Marshal(losses[i])
		if err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
		return writer.Put(store.Record{Item: hashes[i], Data: data})
	})
}
