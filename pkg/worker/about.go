package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/store"
)

// about says what is asked of what: the model, the items, one prompt, and where both come from; as view "writes", what the model writes by itself.
func about(_ context.Context, j *job) error {
	m, err := j.open()
	if err != nil {
		return err
	}
	if j.View == "writes" {
		if j.session.part != nil { // one text: the last job writes it
			return errPartDone
		}
		text, err := j.writes(m)
		if err != nil {
			return err
		}
		return j.show(&report.Part{Samples: []report.Sample{{Title: "What the model writes by itself, greedily", Text: text}}})
	}
	facts := map[string]any{"model": m.Hash, "tokenizer": m.Tokenizer.Hash(), "source": m.Source, "model_type": m.Config.ModelType, "dtype": dtypeName(m.DType),
		"device": m.Device(), "seed": j.Options.Seed}
	p := &report.Part{Facts: facts}
	if len(m.Warnings) > 0 {
		facts["warnings"] = strings.Join(m.Warnings, "; ")
		p.Finding = "The model was opened with a warning: " + strings.Join(m.Warnings, "; ") + "."
	}
	c := m.Config
	if j.Options.Items == "" {
		p.Method = fmt.Sprintf("%s is a %s with %.2f million parameters: %d layers of %d query and %d key heads, a vocabulary of %d, a context of %d tokens.",
			j.name(), c.ModelType, float64(c.NumParameters())/1e6, c.Layers, c.Heads, c.KVHeads, c.VocabSize, c.MaxPositions)
		return j.show(p)
	}
	task, err := j.task()
	if err != nil {
		return err
	}
	f, err := eval.Describe(m, task)
	if err != nil {
		return err
	}
	facts["task"], facts["template"], facts["items"] = task.Name, task.TemplateHash, task.Hash()
	p.Method = f.Markdown()
	p.Samples = []report.Sample{{Title: "One item as the model sees it", Text: task.Examples[0].Prompt}}
	return j.show(p)
}

// writes is what the model writes by itself, from the store where it is there.
func (j *job) writes(m *model.Model) (text string, err error) {
	r, err := j.runner()
	if err != nil {
		return "", err
	}
	results, err := j.store()
	if err != nil {
		return "", err
	}
	const item = "greedy, from the beginning of a text"
	of := r.Job()
	of.Kind = "writes"
	known, err := results.Load(of)
	if err != nil {
		return "", err
	}
	if record, ok := known[item]; ok {
		err = json.Unmarshal(record.Data, &text)
		return text, err
	}
	if text, err = eval.Writes(m); err != nil {
		return "", err
	}
	data, err := json.Marshal(text)
	if err != nil {
		return "", err
	}
	w, err := results.Writer(of, j.runName())
	if err != nil {
		return "", err
	}
	return text, errors.Join(w.Put(store.Record{Item: item, Data: data}), w.Close())
}
