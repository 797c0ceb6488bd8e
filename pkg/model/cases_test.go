package model_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// The cases of shared/cases are inputs as people have them, with what must happen in the README of each. Those about configurations and weights change one thing
// of a small real model; their right values are log-probabilities of two tokens of one text.

// caseText is the text of the cases; the values are those of token 300 at position 3 and of token 261 at position 7.
var caseText = []int{1, 403, 407, 261, 378, 300, 301, 302}

var caseTargets = model.Targets{{{Position: 3, Token: 300}, {Position: 7, Token: 261}}}

// unchanged are the values of the model itself.
var unchanged = [2]float64{-12.949285, -8.171659}

// caseCheckpoint makes a directory of a case's files and the base model's weights, changed.
func caseCheckpoint(t *testing.T, name string, change func([]safetensors.Tensor) []safetensors.Tensor) string {
	t.Helper()
	from, base := shared(t, filepath.Join("cases", name)), shared(t, "data/models/stories260k")
	dir := t.TempDir()
	for _, file := range []string{"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(filepath.Join(from, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	weights := baseWeights(t, base)
	if change != nil {
		weights = change(weights)
	}
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), weights, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func baseWeights(t *testing.T, dir string) []safetensors.Tensor {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var all []safetensors.Tensor
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// find returns a tensor's place and values.
func find(t *testing.T, all []safetensors.Tensor, name string) (int, []float32) {
	t.Helper()
	i := slices.IndexFunc(all, func(x safetensors.Tensor) bool { return x.Name == name })
	values, err := all[i].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return i, values
}

// caseValues computes the two values of the cases.
func caseValues(t *testing.T, m *model.Model) [2]float64 {
	t.Helper()
	r, err := m.Forward(model.Prompts(caseText), model.Outputs{Targets: caseTargets}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return [2]float64(r.LogProbs[0])
}

func nearCase(got, want [2]float64, tolerance float64) bool {
	d := max(got[0]-want[0], want[0]-got[0], got[1]-want[1], want[1]-got[1])
	return d <= tolerance
}

// greedyText is what the model writes after token 1.
func greedyText(t *testing.T, m *model.Model, n int) []int {
	t.Helper()
	g, err := m.Generate([][]int{{1}}, model.GenerateOptions{MaxTokens: n}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g.Tokens[0]
}

func TestCheckpointCases(t *testing.T) {
	add := func(more ...safetensors.Tensor) func([]safetensors.Tensor) []safetensors.Tensor {
		return func(all []safetensors.Tensor) []safetensors.Tensor { return append(all, more...) }
	}
	head := func(t *testing.T, shift int) func([]safetensors.Tensor) []safetensors.Tensor {
		return func(all []safetensors.Tensor) []safetensors.Tensor {
			i, v := find(t, all, "model.embed_tokens.weight")
			width := all[i].Shape[1]
			rolled := append(slices.Clone(v[shift*width:]), v[:shift*width]...)
			return append(all, safetensors.FromFloat32s("lm_head.weight", all[i].Shape, rolled))
		}
	}
	each := func(t *testing.T, f func(safetensors.Tensor, []float32) safetensors.Tensor) func([]safetensors.Tensor) []safetensors.Tensor {
		return func(all []safetensors.Tensor) []safetensors.Tensor {
			for i, x := range all {
				v, err := x.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				all[i] = f(x, v)
			}
			return all
		}
	}
	for _, c := range []struct {
		name    string
		change  func([]safetensors.Tensor) []safetensors.Tensor
		want    [2]float64
		error   []string // parts of the error that is expected instead
		warning []string // parts of a warning
		greedy  []int
	}{
		{name: "config-bare", change: head(t, 0), want: unchanged, greedy: []int{403, 407}},
		{name: "config-floats", want: unchanged},
		{name: "rope-both", want: [2]float64{-12.963010, -7.479908}},
		{name: "rope-empty-scaling", want: [2]float64{-12.963010, -7.479908}},
		{name: "rope-linear", want: [2]float64{-9.155497, -1.390473}},
		{name: "rope-yarn-float", want: [2]float64{-13.118989, -8.005110}},
		{name: "eos-generation-config", want: unchanged, greedy: []int{403, 407}},
		{name: "eos-out-of-range", error: []string{"512", "vocabulary of 512"}},
		{name: "f16", change: each(t, toF16), want: [2]float64{-12.959264, -8.178200}, greedy: []int{403, 407, 261, 378, 432, 383, 286, 261}},
		{name: "f64", change: each(t, toF64), want: unchanged, greedy: []int{403, 407, 261, 378, 432, 383, 286, 261}},
		{name: "nan-weight", change: poison("model.layers.2.mlp.down_proj.weight", nan), error: []string{"1 NaN", "model.layers.2.mlp.down_proj.weight"}},
		{name: "no-prefix", change: func(all []safetensors.Tensor) []safetensors.Tensor {
			for i := range all {
				all[i].Name = strings.TrimPrefix(all[i].Name, "model.")
			}
			return all
		}, want: unchanged},
		{name: "tied-but-two-heads", change: head(t, 7), want: [2]float64{-14.039287, -7.754284}, warning: []string{"tie_word_embeddings", "lm_head.weight"}},
		{name: "untied-two-heads", change: head(t, 7), want: [2]float64{-14.039287, -7.754284}, greedy: []int{396, 254, 301, 288, 280, 381, 254, 254}},
		{name: "metadata-empty", want: unchanged},
		{name: "extra-empty", change: func(all []safetensors.Tensor) []safetensors.Tensor {
			all = head(t, 0)(all)
			return append(all, safetensors.FromFloat32s("model.rotary_emb.inv_freq", []int{4}, []float32{1, .1, .01, .001}), safetensors.FromFloat32s("empty", []int{0}, nil))
		}, error: []string{`"empty"`}},
		{name: "extra-vhead", change: add(safetensors.FromFloat32s("v_head.summary.weight", []int{1, 64}, make([]float32, 64))), error: []string{"v_head.summary.weight"}},
		{name: "vocab-one-beyond", want: unchanged, warning: []string{"512", "<image_soft_token>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := model.Load(caseCheckpoint(t, c.name, c.change), model.Options{})
			if c.error != nil {
				if err == nil {
					t.Fatal("loaded, expected an error")
				}
				for _, part := range c.error {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error does not name %q: %v", part, err)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := caseValues(t, m); !nearCase(got, c.want, 1e-4) {
				t.Errorf("log-probabilities %.6f, expected %.6f", got, c.want)
			}
			if (c.warning == nil) != (len(m.Warnings) == 0) {
				t.Errorf("warnings %q", m.Warnings)
			}
			for _, part := range c.warning {
				if !strings.Contains(strings.Join(m.Warnings, "\n"), part) {
					t.Errorf("the warnings do not name %q: %q", part, m.Warnings)
				}
			}
			if c.greedy != nil {
				if got := greedyText(t, m, len(c.greedy)+1); !slices.Equal(got[:min(len(got), len(c.greedy))], c.greedy) {
					t.Errorf("greedy text %v, expected %v", got, c.greedy)
				}
			}
		})
	}
}

// TestConfigParityCases: a field that a family's configuration class does not have is not read.
func TestConfigParityCases(t *testing.T) {
	root := shared(t, "cases/config-parity")
	families := map[string]string{"gemma2": "gemma2", "gemma3": "gemma3_text", "llama3": "llama-llama3", "llama": "llama", "qwen3": "qwen3"}
	found, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range found {
		if !entry.IsDir() {
			continue
		}
		t.Run(entry.Name(), func(t *testing.T) {
			family, _, _ := strings.Cut(entry.Name(), "-")
			from := filepath.Join("..", "..", "testdata", "reference", families[family])
			dir := t.TempDir()
			for name, path := range map[string]string{"config.json": filepath.Join(root, entry.Name()), "model.safetensors": from} {
				data, err := os.ReadFile(filepath.Join(path, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m, err := model.Load(dir, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			ref, err := safetensors.Open(filepath.Join(from, "reference.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer ref.Close()
			prompt := inputs(t, ref)
			got, want := logits(t, m, [][]int{prompt}, nil)[0], floats(t, ref, "logits")
			if d := maxDiff(got, want[:len(got)]); !(d <= 2e-4) {
				t.Errorf("logits differ by %g from the reference's, expected at most 2e-4", d)
			}
		})
	}
}

// TestShardMislabelledCase: the index names a shard that does not have the tensor.
func TestShardMislabelledCase(t *testing.T) {
	from := shared(t, "cases/shard-mislabelled")
	dir := caseCheckpoint(t, "shard-mislabelled", nil)
	data, err := os.ReadFile(filepath.Join(from, "model.safetensors.index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	const moved = "model.layers.0.self_attn.k_proj.weight"
	shards := map[string][]safetensors.Tensor{}
	for _, x := range baseWeights(t, dir) {
		shard := index.WeightMap[x.Name]
		if x.Name == moved {
			shard = "model-00001-of-00002.safetensors"
		}
		shards[shard] = append(shards[shard], x)
	}
	for _, name := range slices.Sorted(maps.Keys(shards)) {
		if err := safetensors.Write(filepath.Join(dir, name), shards[name], nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	_, err = model.Load(dir, model.Options{})
	if err == nil || !strings.Contains(err.Error(), moved) || !strings.Contains(err.Error(), "model-00002-of-00002.safetensors") {
		t.Errorf("%v, expected an error that names %s and its shard", err, moved)
	}
}

// toF16 and toF64 store a tensor in another type; toF16 rounds to nearest.
func toF64(x safetensors.Tensor, v []float32) safetensors.Tensor {
	var data []byte
	for _, f := range v {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(f)))
	}
	return safetensors.Tensor{Name: x.Name, DType: "F64", Shape: x.Shape, Data: data}
}

func toF16(x safetensors.Tensor, v []float32) safetensors.Tensor {
	var data []byte
	for _, f := range v {
		data = binary.LittleEndian.AppendUint16(data, half(f))
	}
	return safetensors.Tensor{Name: x.Name, DType: "F16", Shape: x.Shape, Data: data}
}

// poison puts a value into the first element of a tensor.
func poison(name string, value float32) func([]safetensors.Tensor) []safetensors.Tensor {
	return func(all []safetensors.Tensor) []safetensors.Tensor {
		for i, x := range all {
			if x.Name == name {
				x.Data = slices.Clone(x.Data)
				binary.LittleEndian.PutUint32(x.Data, math.Float32bits(value))
				all[i] = x
			}
		}
		return all
	}
}

var nan = float32(math.NaN())

// half rounds to the nearest IEEE 754 half, ties to even; f is within its range.
func half(f float32) uint16 {
	bits := math.Float32bits(f)
	sign, size := uint16(bits>>16&0x8000), bits&0x7fffffff
	if size < 0x38800000 { // subnormal: multiples of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(size))*0x1p24))
	}
	return sign | uint16((size+0xfff+size>>13&1-112<<23)>>13)
}
