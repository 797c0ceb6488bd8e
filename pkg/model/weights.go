package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/model/safetensors"
)

// weight is one tensor of the architecture: its Hugging Face name, its shape and how it starts when made anew.
type weight struct {
	name  string
	shape []int
	init  initKind
}

type initKind int

const (
	initNormal   initKind = iota // normal with Config.InitializerRange
	initResidual                 // the same over sqrt(2 * layers): projections that write into the residual stream (GPT-2, section 2.3)
	initOnes                     // norms
	initZeros                    // biases
)

// Names of the weights outside the layers.
const (
	embedName = "model.embed_tokens.weight"
	normName  = "model.norm.weight"
	headName  = "lm_head.weight"
)

// layerPrefix starts the name of every weight of a layer.
func layerPrefix(l int) string { return fmt.Sprintf("model.layers.%d.", l) }

// weights lists every tensor that the architecture reads, in the order of the file that Save writes.
func (c *Config) weights() []weight {
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	ws := []weight{{embedName, []int{c.VocabSize, c.HiddenSize}, initNormal}}
	for l := range c.Layers {
		p := layerPrefix(l)
		linear := func(name string, out, in int, bias bool, init initKind) {
			ws = append(ws, weight{p + name + ".weight", []int{out, in}, init})
			if bias {
				ws = append(ws, weight{p + name + ".bias", []int{out}, initZeros})
			}
		}
		ws = append(ws, weight{p + "input_layernorm.weight", []int{c.HiddenSize}, initOnes})
		linear("self_attn.q_proj", q, c.HiddenSize, c.AttentionBias, initNormal)
		linear("self_attn.k_proj", kv, c.HiddenSize, c.AttentionBias, initNormal)
		linear("self_attn.v_proj", kv, c.HiddenSize, c.AttentionBias, initNormal)
		linear("self_attn.o_proj", c.HiddenSize, q, c.AttentionBias, initResidual)
		ws = append(ws, weight{p + "post_attention_layernorm.weight", []int{c.HiddenSize}, initOnes})
		linear("mlp.gate_proj", c.IntermediateSize, c.HiddenSize, c.MLPBias, initNormal)
		linear("mlp.up_proj", c.IntermediateSize, c.HiddenSize, c.MLPBias, initNormal)
		linear("mlp.down_proj", c.HiddenSize, c.IntermediateSize, c.MLPBias, initResidual)
	}
	ws = append(ws, weight{normName, []int{c.HiddenSize}, initOnes})
	if !c.TieEmbeddings {
		ws = append(ws, weight{headName, []int{c.VocabSize, c.HiddenSize}, initNormal})
	}
	return ws
}

// source is what weights are read from: one safetensors file or several with an index.
type source interface {
	Names() []string
	Tensor(name string) (safetensors.Tensor, error)
}

// readWeights checks every tensor of the architecture against the file and converts it to dtype (Float32 or BFloat16).
// A missing tensor or one of another shape is an error that names it; tensors the architecture does not know are an error too,
// because they mean that the configuration describes another model.
func readWeights(c *Config, src source, dtype dtypes.DType) (map[string]*tensors.Tensor, string, error) {
	want := c.weights()
	known := map[string]bool{}
	for _, w := range want {
		known[w.name] = true
	}
	for _, name := range src.Names() {
		if !known[name] && !ignorable(c, name) {
			return nil, "", fmt.Errorf("tensor %q is not part of a %s model with this configuration: is config.json the one that belongs to these weights?", name, c.ModelType)
		}
	}
	hash := sha256.New()
	values := make(map[string]*tensors.Tensor, len(want))
	sort.Slice(want, func(i, j int) bool { return want[i].name < want[j].name })
	for _, w := range want {
		t, err := src.Tensor(w.name)
		if err != nil {
			return nil, "", err
		}
		if !slices.Equal(t.Shape, w.shape) {
			return nil, "", fmt.Errorf("tensor %q has shape %v, expected %v from config.json", w.name, t.Shape, w.shape)
		}
		fmt.Fprintf(hash, "%s %s %v\n", w.name, t.DType, t.Shape)
		hash.Write(t.Data)
		floats, err := t.Float32s()
		if err != nil {
			return nil, "", err
		}
		values[w.name] = toTensor(floats, w.shape, dtype)
	}
	return values, hex.EncodeToString(hash.Sum(nil)), nil
}

// ignorable reports tensors that checkpoints carry and no forward pass reads: rotary tables saved by old versions of transformers, and
// an output head saved beside the embedding it is tied to.
func ignorable(c *Config, name string) bool {
	return strings.HasSuffix(name, "rotary_emb.inv_freq") || c.TieEmbeddings && name == headName
}

// randomWeights draws new weights, the same for a seed on every machine: each tensor has its own stream.
func randomWeights(c *Config, seed uint64, dtype dtypes.DType) map[string]*tensors.Tensor {
	values := map[string]*tensors.Tensor{}
	for i, w := range c.weights() {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		size := 1
		for _, d := range w.shape {
			size *= d
		}
		v := make([]float32, size)
		std := c.InitializerRange
		switch w.init {
		case initResidual:
			std /= math.Sqrt(2 * float64(c.Layers))
			fallthrough
		case initNormal:
			for k := range v {
				v[k] = float32(rng.NormFloat64() * std)
			}
		case initOnes:
			for k := range v {
				v[k] = 1
			}
		}
		values[w.name] = toTensor(v, w.shape, dtype)
	}
	return values
}

// toTensor makes a tensor of dtype from float32 values; BFloat16 rounds to nearest even.
func toTensor(v []float32, shape []int, dtype dtypes.DType) *tensors.Tensor {
	if dtype == dtypes.BFloat16 {
		b := make([]bfloat16.BFloat16, len(v))
		for i, x := range v {
			b[i] = bfloat16.FromFloat32(x)
		}
		return tensors.FromFlatDataAndDimensions(b, shape...)
	}
	return tensors.FromFlatDataAndDimensions(v, shape...)
}
