package train_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/train"
)

// BenchmarkTrainStep is the loop of Run, feed included, on a GPU in bfloat16 with float32 weights: a Llama type of 124 million parameters (12 layers of 768, 12
// heads, 50,304 tokens, tied head), 32 rows of 1,024 tokens a step; beside it the same step in PyTorch (recipes/train_peer.py: autocast, sdpa, torch.compile), whose
// machine's peak the utilisations are of. Elsewhere it is a toy that shows the benchmark works.
//
// Floors, on an H200 (793 TFLOP/s measured): 855 MFLOP a token ([train.FLOPs]) are 28 TFLOP a step, 35 ms of matrix units at their peak. What is not a product moves some 60
// GB through the memory (logits five times 3.3 GB, about twenty times 50 MB for each layer and direction), 15 ms at 4.2 TB/s. Together 50 ms, 650,000 tokens/s.
// Measured in one run: whole rows 502,600 tokens/s, 65.2 ms a step, 430 TFLOP/s, 54.2 % of that peak; packed ones 370,900; PyTorch 441,300, 47.6 %. So 1.14 and 0.84 of the
// peer's. What it came from: gradients of products in float32, GoMLX's way (see matmul.go of package model), 422 ms; then separate products for q, k, v and for gate
// and up, 3.3 ms more than now; CUDA graphs, 4.6 ms more (see env.TrainingFlags).
//
// "whole" rows are one document each, for which the fused attention knows the mask; "packed" ones hold eight, and it reads a bias of 0.8 GB for each layer and direction.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench TrainStep -benchtime 1x ./pkg/train
func BenchmarkTrainStep(b *testing.B) {
	c := &model.Config{ModelType: "llama", VocabSize: 50304, HiddenSize: 768, IntermediateSize: 2048, Layers: 12, Heads: 12, KVHeads: 12, HeadDim: 64,
		MaxPositions: 1024, NormEps: 1e-5, RopeTheta: 10000, TieEmbeddings: true, BOS: 1, InitializerRange: 0.02}
	rows, width, steps, compute := 32, 1024, 20, dtypes.BFloat16
	if !onGPU() {
		c.VocabSize, c.HiddenSize, c.IntermediateSize, c.Layers, c.Heads, c.KVHeads = 512, 64, 128, 2, 1, 1
		rows, width, steps, compute = 2, 64, 10, dtypes.Float32
	}
	peer, err := bench.Peer(context.Background(), "../../recipes/train_peer.py") // before XLA takes most of the GPU's memory
	if err != nil && !errors.Is(err, bench.ErrNoPeer) {
		b.Fatal(err)
	}
	backend.For(env.Train)
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, each := range []int{1, 8} {
		b.Run(map[int]string{1: "whole", 8: "packed"}[each], func(b *testing.B) {
			// A row is filled by its documents: the last token of each is only a label.
			feed, err := train.NewFeed(random(4*rows*each, width/each+1, c.VocabSize), train.FeedOptions{Width: width, Rows: rows})
			if err != nil {
				b.Fatal(err)
			}
			var speeds, losses []float64
			began, first := time.Now(), 0.0
			for b.Loop() {
				o := train.Options{Steps: steps, Compute: compute, LogEvery: 1, OnRow: func(r train.Row) {
					switch {
					case r.Step == 1:
						first = time.Since(began).Seconds()
					case r.Step > 5: // the first steps are slower: memory is being found
						speeds, losses = append(speeds, r.TokensPerSecond), append(losses, r.Loss)
					}
				}}
				if _, err := train.Run(context.Background(), m, feed, o); err != nil {
					b.Fatal(err)
				}
			}
			slices.Sort(speeds)
			speed := speeds[len(speeds)/2]
			flops := speed * train.FLOPs(m, width, true)
			b.ReportMetric(speed, "tokens/s")
			b.ReportMetric(flops/1e12, "TFLOP/s")
			b.ReportMetric(first, "s-to-first-step")
			b.ReportMetric(losses[len(losses)-1], "nats")
			if peer != nil {
				b.ReportMetric(speed/peer["compile_tokens_per_second"], "x-peer")
				b.ReportMetric(100*flops/peer["peak_flops"], "%-of-peak")
				fmt.Fprintf(os.Stderr, "peer: %.0f tokens/s, %.1f %% of %.0f TFLOP/s\n", peer["compile_tokens_per_second"], 100*peer["compile_mfu"], peer["peak_flops"]/1e12)
			}
		})
	}
}

// random documents of one length, drawn by a congruential generator.
func random(n, length, vocab int) train.Memory {
	docs := make(train.Memory, n)
	x := uint32(1)
	for i := range docs {
		docs[i].Tokens = make([]int32, length)
		for k := range docs[i].Tokens {
			x = x*1664525 + 1013904223
			docs[i].Tokens[k] = int32(x>>8) % int32(vocab)
		}
	}
	return docs
}
