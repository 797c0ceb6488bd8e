package sink

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/store"
)

// EffectOptions of KeptEffects.
type EffectOptions struct {
	Run      string                              // names the part of the store that is written; "" = "run"
	Part     store.Part                          // measure these texts only
	Known    bool                                // compute nothing: an effect that is not in the store is an error
	Progress func(texts int)                     // called after each text that is measured; may be nil
	Open     func() (*model.Model, error)        // asked for when something has to be computed
	Stored   func(job store.Key, items []string) // told what is in the store afterwards; may be nil
}

// both are a text's effects as the store has them.
type both struct {
	Plain   Effect `json:"plain"`
	Changed Effect `json:"changed"`
}

// KeptEffects is MeasureEffect from the store, text by text, and of the rest as it is computed, which is stored then. Job is as for Kept. With a Part the effects are those
// of the part's texts.
func KeptEffects(ctx context.Context, s *store.Store, job store.Job, plan emulate.Plan, texts [][]int, o EffectOptions) (plain, changed []Effect, err error) {
	if job.Arm, err = json.Marshal(map[string]any{"plan": json.RawMessage(plan.JSON())}); err != nil {
		return nil, nil, fmt.Errorf("effect: %w", err)
	}
	job.Kind = "effect"
	known, err := s.Load(job)
	if err != nil {
		return nil, nil, fmt.Errorf("effect: %w", err)
	}
	var items []string
	found := map[string]both{}
	var missing [][]int
	for _, text := range texts {
		item := itemOf(text)
		if !o.Part.Has(item) {
			continue
		}
		items = append(items, item)
		record, ok := known[item]
		if _, met := found[item]; met {
			continue
		}
		var b both
		if !ok {
			missing = append(missing, text)
		} else if err := json.Unmarshal(record.Data, &b); err != nil {
			return nil, nil, fmt.Errorf("effect: the store's record of run %s: %w", record.Run, err)
		}
		found[item] = b
	}
	if len(missing) > 0 {
		if o.Known {
			return nil, nil, fmt.Errorf("effect: %d of %d texts are not in the store, and nothing is to be computed", len(missing), len(items))
		}
		if err := computeEffects(ctx, s, job, plan, missing, found, o); err != nil {
			return nil, nil, err
		}
	}
	for _, item := range items {
		plain, changed = append(plain, found[item].Plain), append(changed, found[item].Changed)
	}
	if o.Stored != nil {
		o.Stored(job.Key(), items)
	}
	return plain, changed, nil
}

func computeEffects(ctx context.Context, s *store.Store, job store.Job, plan emulate.Plan, texts [][]int, found map[string]both, o EffectOptions) (err error) {
	m, err := o.Open()
	if err != nil {
		return err
	}
	exp, err := apply.Plan(plan)
	if err != nil {
		return err
	}
	w, err := s.Writer(job, cmp.Or(o.Run, "run"))
	if err != nil {
		return fmt.Errorf("effect: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return eachEffect(ctx, m, texts, exp, func(i int, plain, changed Effect) error {
		b := both{plain, changed}
		found[itemOf(texts[i])] = b
		data, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("effect of text %d: %w: the model's output is broken there", i, err)
		}
		if err := w.Put(store.Record{Item: itemOf(texts[i]), Data: data}); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(1)
		}
		return nil
	})
}

// itemOf identifies a text by its tokens.
func itemOf(text []int) string {
	h := sha256.New()
	for _, id := range text {
		fmt.Fprintln(h, id)
	}
	return hex.EncodeToString(h.Sum(nil))
}
