package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/train"
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

// documents count upwards modulo 30 from a start that varies: the next token follows from the last.
func documents(n int) [][]int {
	docs := make([][]int, n)
	for i := range docs {
		docs[i] = []int{1}
		for k := range 6 + i%11 {
			docs[i] = append(docs[i], 5+(i*7+k)%30)
		}
	}
	return docs
}

func logits(t testing.TB, m *model.Model) []float32 {
	t.Helper()
	r, err := m.Forward(model.Prompts([]int{1, 7, 8, 9}), model.Want{Logits: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](r.Logits)
}

func TestPretrainLearnsAndIsRepeatable(t *testing.T) {
	opts := train.Options{Steps: 120, BatchSize: 16, LearningRate: 3e-3, Seed: 4, Bucket: 8, LogEvery: 20}
	var runs [][]float32
	for range 2 {
		m := newModel(t)
		report, err := train.Pretrain(context.Background(), m, documents(200), opts)
		if err != nil {
			t.Fatal(err)
		}
		first, last := report.Curve[0].Loss, report.Curve[len(report.Curve)-1].Loss
		if len(report.Curve) != 6 || !(first > 2) || !(last < 0.8) {
			t.Errorf("the loss goes from %.3f to %.3f in %d points, expected from above 2 to below 0.8 in 6", first, last, len(report.Curve))
		}
		if report.Tokens < 120*16*6 || report.Tokens > 120*16*17 {
			t.Errorf("%d tokens seen in 120 steps of 16 documents of 6 to 16 labels", report.Tokens)
		}
		g, err := m.Generate([][]int{{1, 20, 21, 22}}, model.GenerateOptions{MaxTokens: 5}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{23, 24, 25, 26, 27}; !slices.Equal(g.Tokens[0], want) {
			t.Errorf("the trained model counts 20 21 22 on as %v, expected %v", g.Tokens[0], want)
		}
		dir := t.TempDir()
		if err := m.Save(dir, dtypes.Float32); err != nil {
			t.Fatal(err)
		}
		saved, err := model.Load(dir, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(logits(t, m), logits(t, saved)) {
			t.Error("the saved model has other logits than the trained one")
		}
		runs = append(runs, logits(t, m))
	}
	if name := os.Getenv(backend.EnvVar); name != "" && name != backend.Go {
		t.Logf("not compared bit for bit on %s: a GPU adds gradients in an order of its own", name)
	} else if !slices.Equal(runs[0], runs[1]) {
		t.Error("two runs with one seed end with different weights")
	}
}

func TestPretrainStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	opts := train.Options{Steps: 1000, BatchSize: 8, LogEvery: 1, OnLog: func(p train.Point) {
		if p.Step == 3 {
			cancel()
		}
	}}
	report, err := train.Pretrain(ctx, newModel(t), documents(50), opts)
	if !errors.Is(err, context.Canceled) || len(report.Curve) > 4 {
		t.Errorf("cancelled at step 3: error %v after %d points", err, len(report.Curve))
	}
	m := newModel(t)
	_, err = train.Pretrain(context.Background(), m, documents(50), train.Options{Steps: 300, BatchSize: 8, Warmup: 1, LearningRate: 1e20})
	if err == nil || !strings.Contains(err.Error(), "the loss is") || !strings.Contains(err.Error(), "step") {
		t.Errorf("an absurd learning rate: %v, expected an error that names the step", err)
	}
}

func TestPretrainRefusesBadDocuments(t *testing.T) {
	good := documents(10)
	for name, bad := range map[string][]int{"one token": {1}, "too long": make([]int, 70), "id beyond vocabulary": {1, 40}} {
		if _, err := train.Pretrain(context.Background(), newModel(t), append(slices.Clone(good), bad), train.Options{Steps: 1, BatchSize: 4}); err == nil || !strings.Contains(err.Error(), "document 10") {
			t.Errorf("%s: %v, expected an error that names document 10", name, err)
		}
	}
}

func Example() {
	c := &model.Config{ModelType: "llama", VocabSize: 40, HiddenSize: 32, IntermediateSize: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 64, NormEps: 1e-5, RopeTheta: 10000, TieEmbeddings: true, BOS: 1, InitializerRange: 0.02}
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		panic(err)
	}
	report, err := train.Pretrain(context.Background(), m, documents(100), train.Options{Steps: 20, BatchSize: 8})
	if err != nil {
		panic(err)
	}
	// Before anything is learned every token is equally likely: the loss starts at the logarithm of the vocabulary.
	fmt.Printf("%.1f nats, log 40 = %.1f\n", report.Curve[0].Loss, math.Log(40))
	// Output: 3.7 nats, log 40 = 3.7
}
