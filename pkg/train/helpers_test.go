package train_test

import (
	"testing"

	"github.com/attune-lab/attune/pkg/model"
)

func newModel(t testing.TB) *model.Model {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: 40, HiddenSize: 32, IntermediateSize: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 64, NormEps: 1e-5, RopeTheta: 10000, TieEmbeddings: true, BOS: 1, InitializerRange: 0.02}
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
