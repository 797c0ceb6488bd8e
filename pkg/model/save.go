package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Save writes the model as a Hugging Face directory that Load and transformers open: config.json, model.safetensors and, if the model has
// one, tokenizer.json. Weights have the names that transformers gives them and config.json keeps the fields it was read with. dtype is the type of the stored weights, Float32 or BFloat16. Each file is written whole or not at all.
func (m *Model) Save(dir string, dtype dtypes.DType) error {
	name, ok := map[dtypes.DType]string{dtypes.Float32: "float32", dtypes.BFloat16: "bfloat16"}[dtype]
	if err := m.oneDeviceOnly("saving " + dir); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("saving %s: weights are stored as float32 or bfloat16, not %s", dir, dtype)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var list []safetensors.Tensor
	for _, w := range m.weights {
		values, err := m.weight(w)
		if err != nil {
			return err
		}
		for _, p := range w.stored() {
			n := len(values)
			if w.parts != nil {
				n = w.size() / len(w.parts)
			}
			if dtype == dtypes.BFloat16 {
				list = append(list, safetensors.FromBFloat16(p.name, p.shape, values[:n]))
			} else {
				list = append(list, safetensors.FromFloat32s(p.name, p.shape, values[:n]))
			}
			values = values[n:]
		}
	}
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), list, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	if m.Tokenizer != nil {
		if err := m.Tokenizer.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
			return err
		}
	}
	data, err := m.Config.MarshalJSON()
	if err != nil {
		return err
	}
	f, err := newFields(data)
	if err != nil {
		return err
	}
	f.values["dtype"] = []byte(strconv.Quote(name))       // transformers 5
	f.values["torch_dtype"] = []byte(strconv.Quote(name)) // transformers 4
	if data, err = json.MarshalIndent(f.values, "", "  "); err != nil {
		return err
	}
	return env.WriteBytes(filepath.Join(dir, "config.json"), 0o666, append(data, '\n'))
}

// weight reads a weight back from the backend as float32.
func (m *Model) weight(w weight) ([]float32, error) {
	variable, row := m.joinedAt(w.name)
	t, err := m.store.GetVariable("/" + variable).Value()
	if err != nil {
		return nil, fmt.Errorf("weight %q: %w", w.name, err)
	}
	kind, size := "F32", w.size()*t.DType().Size()
	if t.DType() == dtypes.BFloat16 {
		kind = "BF16"
	}
	var values []float32
	var failed error
	err = t.ConstBytes(func(data []byte) {
		start := row * (size / w.shape[0])
		values, failed = safetensors.Tensor{Name: w.name, DType: kind, Shape: w.shape, Data: data[start : start+size]}.Float32s()
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	if m.isInputMajor(w.name) {
		values = transposed(values, w.shape[1])
	}
	return values, nil
}
