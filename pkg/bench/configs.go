package bench

import (
	"fmt"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/model"
)

// Config returns the published dimensions of a model by name: "llama-2-7b", "llama-2-70b", "llama-3.2-1b", or for a laptop "medium" (36 million
// parameters) or "small" (6.8 million).
func Config(name string) (*model.Config, error) {
	c, ok := configs()[name]
	if !ok {
		var names []string
		for n := range configs() {
			names = append(names, n)
		}
		sort.Strings(names)
		return nil, fmt.Errorf("no dimensions are named %q, expected one of %s", name, strings.Join(names, ", "))
	}
	return c, nil
}

// Model is a model of a configuration's dimensions with random weights, made where it computes.
func Model(name string, o model.Options) (*model.Model, error) {
	c, err := Config(name)
	if err != nil {
		return nil, err
	}
	return model.NewOnDevice(c, 1, o)
}

func configs() map[string]*model.Config {
	llama := func(vocab, hidden, intermediate, layers, heads, kv, dim, positions int, tied bool) *model.Config {
		return &model.Config{ModelType: "llama", VocabSize: vocab, HiddenSize: hidden, IntermediateSize: intermediate, Layers: layers, Heads: heads, KVHeads: kv,
			HeadDim: dim, MaxPositions: positions, NormEps: 1e-5, RopeTheta: 10000, TieEmbeddings: tied, BOS: 1, InitializerRange: 0.02}
	}
	return map[string]*model.Config{
		"llama-2-7b":   llama(32000, 4096, 11008, 32, 32, 32, 128, 8192, false),
		"llama-2-70b":  llama(32000, 8192, 28672, 80, 64, 8, 128, 4096, false),
		"llama-3.2-1b": llama(128256, 2048, 8192, 16, 32, 8, 64, 32768, true),
		"medium":       llama(8192, 512, 1408, 10, 8, 8, 64, 1024, true),
		"small":        llama(4096, 256, 704, 6, 8, 4, 32, 1024, true),
	}
}
