package worker

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Count reads the items of a submission's requests and says how much there is to compute. It opens no weights, and finds wrong items before anything is queued. Tokens are
// counted where the model is a directory with config.json and tokenizer.json, whether its weights are there or not.
//
// Timed asks how long it takes, too, by what was timed on this machine: for that the weights are opened.
func Count(ctx context.Context, s *cluster.Submission, timed bool) (*cluster.Work, error) {
	requests, err := cluster.ReadRequests(s.Requests())
	if err != nil {
		return nil, err
	}
	session := newSession()
	w := &cluster.Work{}
	for i := range requests {
		j := &job{Request: &requests[i], session: session, out: &events{each: func(client.Event) {}}}
		n, err := j.items()
		if err != nil {
			return nil, err
		}
		r := cluster.RequestWork{Kind: j.Kind, Items: n, Arms: len(j.arms())}
		prompts, err := j.count(ctx, s.Backend, w, &r)
		if err != nil {
			return nil, err
		}
		if timed && prompts > 0 {
			if runner, err := j.runner(); err == nil { // a machine without the device has timed nothing
				w.Seconds += secondsFor(runner.Job(), speedKind(j.Kind, r.Writes), prompts)
			}
		}
		w.Requests = append(w.Requests, r)
	}
	return w, ctx.Err()
}

// items is how many items or texts a request is about; 0 where only the model can tell.
func (j *job) items() (int, error) {
	switch {
	case j.Kind == "calibrate":
		t, _, err := j.choosing()
		if err != nil {
			return 0, err
		}
		return len(t.Examples), nil
	case j.Kind == "compare":
	case len(j.Options.Texts) > 0:
		return len(j.Options.Texts), nil
	case strings.HasSuffix(j.Options.Items, ".txt"):
		return 0, nil
	}
	t, err := j.task()
	if err != nil {
		return 0, err
	}
	return len(t.Examples), nil
}

// account adds what a model takes of each of so many devices, by its configuration alone: a pass holds the residual stream four times, the MLP's two products, and queries, keys
// and values; weights and what they give within a layer are cut.
func account(w *cluster.Work, c *model.Config, g engine.Geometry, backend, dtype string, devices int) {
	d := dtypes.Float32
	if dtype == "bfloat16" || dtype != "float32" && strings.HasPrefix(backend, "xla:cuda") && c.PrefersBFloat16() {
		d = dtypes.BFloat16
	}
	size := int64(d.Size())
	w.Parameters, w.DType, w.Budget = int64(c.NumParameters()), dtypeName(d), g.Budget
	w.Devices = devices
	w.Weights = w.Parameters * size / int64(max(devices, 1))
	w.Pass = int64(g.Budget) * size * int64(4*c.HiddenSize+(2*c.IntermediateSize+(c.Heads+2*c.KVHeads)*c.HeadDim)/max(devices, 1))
}

// count adds the tokens of a request to r, and what its model takes to w. Prompts are the tokens of all arms' prompts, by which work is timed.
func (j *job) count(ctx context.Context, backend string, w *cluster.Work, r *cluster.RequestWork) (prompts int, err error) {
	if client.IsReference(j.Options.Model) || r.Items == 0 {
		return 0, nil
	}
	dir, err := j.path("model", j.Options.Model)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		return 0, nil // a GGUF file
	}
	c, err := model.LoadConfig(dir)
	if err != nil {
		return 0, client.Parameter("model", j.Options.Model, "%v", err)
	}
	tok, err := tokenizer.Load(dir)
	if err != nil {
		return 0, client.Parameter("model", j.Options.Model, "%v", err)
	}
	g := engine.GeometryNamed(backend, c.MaxPositions, j.Options.Budget)
	account(w, c, g, backend, j.Options.DType, j.Options.Devices)
	switch j.Kind {
	case "calibrate":
		return j.countCalibration(ctx, r, c, tok, g)
	case "compare":
		return j.countAnswers(ctx, r, c, tok, g)
	}
	return j.countTexts(r, c, tok, g)
}

// countCalibration counts the answers that heads are chosen by: an arm for each head.
func (j *job) countCalibration(ctx context.Context, r *cluster.RequestWork, c *model.Config, tok *tokenizer.Tokenizer, g engine.Geometry) (prompts int, err error) {
	t, o, err := j.choosing()
	if err != nil {
		return 0, err
	}
	if r.Arms, err = o.Arms(c.Layers, c.Heads); err != nil {
		return 0, client.Parameter("layers", fmt.Sprint(o.Layers), "%v", err)
	}
	size, err := eval.SizeOf(ctx, t, nil, c, tok, g)
	if err != nil {
		return 0, err
	}
	r.Tokens, r.Padded = r.Arms*size.Tokens, r.Arms*size.Padded
	return r.Arms * size.Prompts, nil
}

// countAnswers counts what a comparison asks of its arms: of those that answer alike it is the same.
func (j *job) countAnswers(ctx context.Context, r *cluster.RequestWork, c *model.Config, tok *tokenizer.Tokenizer, g engine.Geometry) (prompts int, err error) {
	t, err := j.task()
	if err != nil {
		return 0, err
	}
	for _, written := range []bool{false, true} {
		n := 0
		for _, a := range j.arms() {
			if (len(a.Answer) > 0) == written {
				n++
			}
		}
		if n == 0 {
			continue
		}
		var how eval.Answer
		if written {
			how, r.Writes = eval.Extracted{}, true
		}
		size, err := eval.SizeOf(ctx, t, how, c, tok, g)
		if err != nil {
			return 0, err
		}
		r.Tokens, r.Padded, prompts = r.Tokens+n*size.Tokens, r.Padded+n*size.Padded, prompts+n*size.Prompts
	}
	return prompts, nil
}

// countTexts counts the texts of a survey, of effects, and of perplexities.
func (j *job) countTexts(r *cluster.RequestWork, c *model.Config, tok *tokenizer.Tokenizer, g engine.Geometry) (prompts int, err error) {
	texts, err := j.texts()
	if err != nil {
		return 0, err
	}
	var lengths []int
	for _, text := range texts {
		n := len(tok.Encode(text))
		for ; j.Kind == "perplexity" && n > c.MaxPositions; n -= c.MaxPositions / 2 { // windows of the context, strides of half of it
			lengths = append(lengths, c.MaxPositions)
		}
		n = min(n, c.MaxPositions)
		if t := cmp.Or(j.Options.Length, defaultLength); j.Kind == "survey" && len(j.Options.Texts) == 0 && n > t {
			n = t
		}
		lengths = append(lengths, n)
	}
	size := eval.SizeOfLengths(lengths, g)
	times := r.Arms
	if j.Kind == "effect" {
		times = 2 // plain and changed
	}
	r.Tokens, r.Padded = times*size.Tokens, times*size.Padded
	return r.Tokens, nil
}
