package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Load reads a survey that Save wrote: every figure can be drawn from it without the model.
func Load(path string) (*Survey, error) {
	s, err := loadHeader(path)
	if err != nil {
		return nil, err
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for _, name := range s.stored() {
		for p := range s.Lengths {
			v, err := readFloats(f, fmt.Sprintf("%s.%d", name, p), s.shape(name, p))
			if err != nil {
				return nil, fmt.Errorf("survey %s: %w", path, err)
			}
			s.data[name] = append(s.data[name], v)
		}
	}
	for p, n := range s.Lengths {
		t, err := f.Tensor(fmt.Sprintf("tokens.%d", p))
		if err != nil {
			return nil, fmt.Errorf("survey %s: %w", path, err)
		}
		ids, err := t.Int32s()
		if err != nil {
			return nil, fmt.Errorf("survey %s: %w", path, err)
		}
		if len(ids) != n {
			return nil, fmt.Errorf("survey %s: tokens.%d has %d tokens, the lengths say %d", path, p, len(ids), n)
		}
		own := make([]int, n)
		for i, id := range ids {
			own[i] = int(id)
		}
		s.Tokens = append(s.Tokens, own)
	}
	if !s.Measures.Has(Shapes) {
		return s, nil
	}
	n := len(s.seen)
	for l := range s.Layers {
		v, err := readFloats(f, fmt.Sprintf("map.%d", l), []int{n, n})
		if err != nil {
			return nil, fmt.Errorf("survey %s: %w", path, err)
		}
		for i := range n {
			row := make([]float64, i+1)
			for j := range row {
				row[j] = float64(v[i*n+j])
			}
			s.cells[l] = append(s.cells[l], row)
		}
	}
	return s, nil
}

// loadHeader reads the JSON beside the arrays, or in their metadata where there is none beside them, and checks that its lists fit each other.
func loadHeader(path string) (*Survey, error) {
	jsonPath, err := headerPath(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(jsonPath)
	if errors.Is(err, fs.ErrNotExist) {
		var f *safetensors.File
		if f, err = safetensors.Open(path); err == nil {
			data, jsonPath = []byte(f.Metadata()[headerMetadata]), path
			err = f.Close()
		}
		if err == nil && len(data) == 0 {
			err = errors.New("the arrays are described by a .json beside them or in their metadata, and neither is there")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("survey %s: %w", path, err)
	}
	var h header
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("survey %s: %w", jsonPath, err)
	}
	switch {
	case h.Format != surveyFormat:
		return nil, fmt.Errorf("survey %s: format %d, expected %d", jsonPath, h.Format, surveyFormat)
	case h.Layers < 1 || h.Heads < 1 || h.KVHeads < 1 || h.Group < 1:
		return nil, fmt.Errorf("survey %s: layers %d, heads %d, kv_heads %d, group %d, expected 1 or more of each", jsonPath, h.Layers, h.Heads, h.KVHeads, h.Group)
	case len(h.Lengths) != len(h.Prompts) || len(h.Lengths) == 0:
		return nil, fmt.Errorf("survey %s: %d lengths for %d prompts", jsonPath, len(h.Lengths), len(h.Prompts))
	}
	s := &Survey{ModelType: h.ModelType, ModelHash: h.ModelHash, Layers: h.Layers, Heads: h.Heads, KVHeads: h.KVHeads, Measures: h.Measures & Everything,
		T: h.T, Tau: h.Tau, Window: h.Window, Late: h.Late, Group: h.Group, Lengths: h.Lengths, Prompts: h.Prompts, Skipped: h.Skipped, Plan: h.Plan,
		pieces: map[int]string{}, data: map[string][][]float32{}, cells: make([][][]float64, h.Layers), seen: h.Seen}
	for id, text := range h.Pieces {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("survey %s: pieces: %q is not a token id", jsonPath, id)
		}
		s.pieces[n] = text
	}
	return s, nil
}

func readFloats(f *safetensors.File, name string, shape []int) ([]float32, error) {
	t, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("%s has shape %v, expected %v", name, t.Shape, shape)
	}
	return t.Float32s()
}
