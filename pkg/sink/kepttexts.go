package sink

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/store"
)

// TextOptions of what is measured text by text and kept: [KeptEffects] and [KeptMaskDensity].
type TextOptions struct {
	Run      string                              // names the part of the store that is written; "" = "run"
	Part     store.Part                          // measure these texts only
	Known    bool                                // compute nothing: a text that is not in the store is an error
	Progress func(texts int)                     // told how many more texts are measured, or known; may be nil
	Open     func() (*engine.Runner, error)      // asked for when something has to be computed
	Stored   func(job store.Key, items []string) // told what is in the store afterwards; may be nil
}

// keptTexts is a measure of each text, in their order: from the store and, of those that are not there, as compute gives it to put by a text's number among the missing.
func keptTexts[T any](s *store.Store, job store.Job, texts [][]int, o TextOptions, compute func(r *engine.Runner, missing [][]int, put func(i int, measured T) error) error) ([]T, error) {
	known, err := s.Load(job)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", job.Kind, err)
	}
	var items []string
	there := 0 // of them in the store
	found := map[string]T{}
	var missing [][]int
	for _, text := range texts {
		item := itemOf(text)
		if !o.Part.Has(item) {
			continue
		}
		items = append(items, item)
		record, ok := known[item]
		if ok {
			there++
		}
		if _, met := found[item]; met {
			continue
		}
		var measured T
		if !ok {
			missing = append(missing, text)
		} else if err := json.Unmarshal(record.Data, &measured); err != nil {
			return nil, fmt.Errorf("%s: the store's record of run %s: %w", job.Kind, record.Run, err)
		}
		found[item] = measured
	}
	if there > 0 && o.Progress != nil {
		o.Progress(there)
	}
	if len(missing) > 0 {
		if o.Known {
			return nil, fmt.Errorf("%s: %d of %d texts are not in the store, and nothing is to be computed", job.Kind, len(missing), len(items))
		}
		if err := computeTexts(s, job, missing, found, o, compute); err != nil {
			return nil, err
		}
	}
	measured := make([]T, len(items))
	for i, item := range items {
		measured[i] = found[item]
	}
	if o.Stored != nil {
		o.Stored(job.Key(), items)
	}
	return measured, nil
}

func computeTexts[T any](s *store.Store, job store.Job, missing [][]int, found map[string]T, o TextOptions, compute func(*engine.Runner, [][]int, func(int, T) error) error) (err error) {
	r, err := o.Open()
	if err != nil {
		return err
	}
	w, err := s.Writer(job, cmp.Or(o.Run, "run"))
	if err != nil {
		return fmt.Errorf("%s: %w", job.Kind, err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return compute(r, missing, func(i int, measured T) error {
		item := itemOf(missing[i])
		found[item] = measured
		data, err := json.Marshal(measured)
		if err != nil {
			return fmt.Errorf("%s of text %d: %w: the model's output is broken there", job.Kind, i, err)
		}
		if err := w.Put(store.Record{Item: item, Data: data}); err != nil {
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
