package model_test

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/model"
)

func TestOnDeviceWeightsAreDistributedLikeNews(t *testing.T) {
	m, err := model.NewOnDevice(tinyConfig(), 5, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := tensors.MustCopyFlatData[float32](m.Store().GetVariable("/model.layers.1.mlp.up_proj.weight").MustValue())
	mean, square := 0.0, 0.0
	for _, x := range v {
		mean += float64(x) / float64(len(v))
		square += float64(x) * float64(x) / float64(len(v))
	}
	std := math.Sqrt(square)
	// 1,536 draws with standard deviation 0.2: five standard errors.
	if math.Abs(mean) > 5*0.2/math.Sqrt(1536) || math.Abs(std-0.2) > 5*0.2/math.Sqrt(2*1536) {
		t.Errorf("mean %g and standard deviation %g, expected 0 and 0.2", mean, std)
	}
	other := tensors.MustCopyFlatData[float32](m.Store().GetVariable("/model.layers.0.mlp.up_proj.weight").MustValue())
	if v[0] == other[0] {
		t.Error("two weights of one shape are the same")
	}
	for i, l := range logits(t, m, [][]int{tokens(1, 9, 97)}, nil)[0] {
		if math.IsNaN(float64(l)) {
			t.Fatalf("logit %d is NaN", i)
		}
	}
}
