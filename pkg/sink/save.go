package sink

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

const surveyFormat = 1

// header is the JSON beside a survey's arrays.
type header struct {
	Format    int               `json:"format"`
	ModelType string            `json:"model_type"`
	ModelHash string            `json:"model_hash"`
	Layers    int               `json:"layers"`
	Heads     int               `json:"heads"`
	KVHeads   int               `json:"kv_heads"`
	Measures  Measures          `json:"measures"`
	Named     string            `json:"measures_named"`
	T         int               `json:"t"`
	Tau       float64           `json:"tau"`
	Window    int               `json:"window"`
	Late      int               `json:"late"`
	Group     int               `json:"group"`
	Prompts   []int             `json:"prompts"`
	Lengths   []int             `json:"lengths"`
	Skipped   int               `json:"skipped"`
	Seen      []int             `json:"map_prompts"`
	Plan      []string          `json:"plan"`
	Pieces    map[string]string `json:"pieces"`
}

// Save writes the survey to PATH, a .safetensors file, and the JSON that describes it beside it with .json in its place; the file's metadata has that JSON, too. The same
// survey gives the same bytes. Arrays are named STATISTIC.PROMPT, [layers, ...] with tokens last, beside map.LAYER and tokens.PROMPT.
func (s *Survey) Save(path string) error {
	jsonPath, err := headerPath(path)
	if err != nil {
		return err
	}
	if err := s.write(path); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s.header(), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(jsonPath, append(data, '\n'), 0o644)
}

func (s *Survey) header() header {
	h := header{surveyFormat, s.ModelType, s.ModelHash, s.Layers, s.Heads, s.KVHeads, s.Measures, s.Measures.String(), s.T, s.Tau, s.Window, s.Late, s.Group,
		s.Prompts, s.Lengths, s.Skipped, s.seen, s.Plan, map[string]string{}}
	for id, text := range s.pieces {
		h.Pieces[fmt.Sprint(id)] = text
	}
	return h
}

// headerMetadata is the name of the header in a survey's metadata.
const headerMetadata = "survey"

// write writes the arrays, with the header in their metadata.
func (s *Survey) write(path string) error {
	head, err := json.Marshal(s.header())
	if err != nil {
		return err
	}
	var list []safetensors.Tensor
	for _, name := range s.stored() {
		for p, values := range s.data[name] {
			list = append(list, safetensors.FromFloat32s(fmt.Sprintf("%s.%d", name, p), s.shape(name, p), values))
		}
	}
	for p, ids := range s.Tokens {
		v := make([]int32, len(ids))
		for i, id := range ids {
			v[i] = int32(id)
		}
		list = append(list, safetensors.FromInt32s(fmt.Sprintf("tokens.%d", p), []int{len(v)}, v))
	}
	if s.Measures.Has(Shapes) {
		n := len(s.seen)
		for l := range s.Layers {
			flat := make([]float32, n*n)
			for i, row := range s.cells[l] {
				for j, v := range row {
					flat[i*n+j] = float32(v)
				}
			}
			list = append(list, safetensors.FromFloat32s(fmt.Sprintf("map.%d", l), []int{n, n}, flat))
		}
	}
	return safetensors.Write(path, list, map[string]string{headerMetadata: string(head)})
}

func headerPath(path string) (string, error) {
	if filepath.Ext(path) != ".safetensors" {
		return "", fmt.Errorf("survey file %s: expected a name that ends in .safetensors", path)
	}
	return strings.TrimSuffix(path, ".safetensors") + ".json", nil
}

// stored lists the statistics kept per prompt, in order.
func (s *Survey) stored() []string {
	var names []string
	for _, n := range s.measured() {
		switch n {
		case nameCells:
			n = nameSimilarity
		case nameSample:
			n = nameMedian
		}
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// shape of a prompt's statistic.
func (s *Survey) shape(name string, prompt int) []int {
	n := s.Lengths[prompt]
	switch name {
	case nameReceived:
		return []int{s.Layers, s.Heads, n}
	case nameKeyNorm, nameValueNorm:
		return []int{s.Layers, s.KVHeads, n}
	case nameResidualNorm:
		return []int{s.Layers, n}
	case nameTop, nameTopChannel:
		return []int{s.Layers, topEntries, n}
	case nameMedian:
		return []int{s.Layers}
	case nameSimilarity:
		return []int{s.Layers, s.Layers}
	}
	return []int{s.Layers, s.Heads}
}
