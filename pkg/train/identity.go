package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/model"
)

// identity is all that the course of a run follows from, by name. A checkpoint holds it, so that a run does not continue as another one.
func (o Options) identity(m *model.Model, feed *Feed, names []string) (map[string]string, error) {
	config, err := m.Config.MarshalJSON()
	if err != nil {
		return nil, err
	}
	documents, err := feed.fingerprint()
	if err != nil {
		return nil, err
	}
	frozen, err := frozenHash(m, names)
	if err != nil {
		return nil, err
	}
	adapter, _ := m.Adapter()
	values := map[string]any{
		"model": digest(config), "weights that are not trained": frozen, "trained weights": digest(names), "adapter": adapter,
		"steps": o.Steps, "optimizer": o.Optimizer, "batches per step": o.Accumulate, "compute type": o.Compute.String(), "recompute": o.Recompute, "log every": o.LogEvery,
		"corpus": o.Corpus, "documents": documents, "rows per batch": feed.opts.Rows, "width of rows": feed.opts.Width, "window": feed.opts.Window,
		"feed's seed": feed.opts.Seed, "epochs": feed.opts.Epochs,
	}
	out := map[string]string{}
	for name, value := range values {
		out[name] = fmt.Sprintf("%+v", value)
	}
	return out, nil
}

// differences says what is not the same, sorted by name.
func differences(saved, now map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if saved[name] != now[name] {
			list = append(list, fmt.Sprintf("%s: %s then, %s now", name, saved[name], now[name]))
		}
	}
	return list
}

// fingerprint tells sources apart by their size and a sample of documents, spread evenly.
func (f *Feed) fingerprint() (string, error) {
	const sample = 64
	h := sha256.New()
	n := f.source.Len()
	for k := range min(sample, n) {
		i := k * (n - 1) / max(1, min(sample, n)-1)
		d, err := f.source.Document(i)
		if err != nil {
			return "", fmt.Errorf("document %d of the source: %w", i, err)
		}
		if err := binary.Write(h, binary.LittleEndian, d.Tokens); err != nil {
			return "", err
		}
		if err := binary.Write(h, binary.LittleEndian, d.Weights); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d, sample %s", n, short(h)), nil
}

// frozenHash identifies the weights that a run leaves as they are: under an adapter by the checkpoint that they came from, else by their values.
func frozenHash(m *model.Model, names []string) (string, error) {
	trained := map[string]bool{}
	for _, name := range names {
		trained[name] = true
	}
	h := sha256.New()
	some := false
	for _, w := range m.Weights() {
		if trained[w.Name] {
			continue
		}
		some = true
		if base := m.AdapterBase(); base != "" {
			return base[:16], nil
		}
		t, err := m.Store().GetVariable("/" + w.Name).Value()
		if err != nil {
			return "", err
		}
		if err := hashTensor(h, t); err != nil {
			return "", err
		}
	}
	if !some {
		return "none", nil
	}
	return short(h), nil
}

func hashTensor(h hash.Hash, t *tensors.Tensor) error {
	return t.ConstBytes(func(data []byte) { h.Write(data) })
}

// digest identifies a value by its JSON.
func digest(v any) string {
	h := sha256.New()
	data, ok := v.([]byte)
	if !ok {
		data, _ = json.Marshal(v) // lists of strings
	}
	h.Write(data)
	return short(h)
}

func short(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:8]) }
