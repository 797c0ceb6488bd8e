package bench_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
	"github.com/attune-lab/attune/pkg/sink"
)

// What two cards of one host do for one model, with random weights in bfloat16. Each benchmark prints its figures as it goes.
//
//	NCCL_NVLS_ENABLE=0 ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench Cards -benchtime 1x ./pkg/bench/

// twoCards opens the cards, or skips.
func twoCards(b *testing.B) compute.Backend {
	b.Helper()
	if !strings.HasPrefix(os.Getenv(env.Backend), "xla:") {
		b.Skip("needs two cards: ATTUNE_BACKEND=xla:cuda")
	}
	dev, err := backend.FromEnvDevices(2)
	if err != nil {
		b.Skip(err)
	}
	return dev
}

// rowsOf are prompts, and targets behind the last n tokens of each.
func rowsOf(c *model.Config, rows, tokens, n int) (batch model.Batch, want model.Outputs) {
	for i := range rows {
		p := make([]int, tokens)
		for k := range p {
			p[k] = (i*7919+k*31)%(c.VocabSize-100) + 3
		}
		var targets []model.Target
		for k := tokens - n; k < tokens; k++ {
			targets = append(targets, model.Target{Position: k, Token: (k*17)%(c.VocabSize-100) + 3})
		}
		batch.Tokens, want.Targets = append(batch.Tokens, p), append(want.Targets, targets)
	}
	return batch, want
}

// BenchmarkCardsAgree compares one card with two: log-probabilities of the plain model, of one under an intervention, which takes the own kernel, and a survey.
func BenchmarkCardsAgree(b *testing.B) {
	dev := twoCards(b)
	c := &model.Config{ModelType: "llama", VocabSize: 8192, HiddenSize: 2048, IntermediateSize: 4096, Layers: 3, Heads: 16, KVHeads: 8, HeadDim: 128,
		MaxPositions: 4096, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.02}
	layer, err := apply.New(emulate.Released())
	if err != nil {
		b.Fatal(err)
	}
	batch, want := rowsOf(c, 2, 512, 64)
	var numbers [2][]float64
	for b.Loop() {
		for i := range numbers {
			m, err := model.New(c, nil, 5, model.Options{Backend: dev, DType: dtypes.BFloat16, Devices: i + 1})
			if err != nil {
				b.Fatal(err)
			}
			for _, exp := range []model.Experiment{nil, layer} {
				r, err := m.Forward(batch, want, exp)
				if err != nil {
					b.Fatal(err)
				}
				fmt.Printf("%d cards: %s; %s\n", i+1, r.Plan[0], r.Plan[2])
				for _, row := range r.LogProbs {
					numbers[i] = append(numbers[i], row...)
				}
			}
			survey, err := sink.Run(m, batch.Tokens, sink.Options{})
			if err != nil {
				b.Fatal(err)
			}
			rate, err := survey.SinkRate(0, sink.DefaultEps)
			if err != nil {
				b.Fatal(err)
			}
			g, err := m.Generate([][]int{batch.Tokens[0][:64]}, model.GenerateOptions{MaxTokens: 16}, nil)
			if err != nil {
				b.Fatal(err)
			}
			fmt.Printf("%d cards: sink rate %g, writes %v\n", i+1, rate.Value, g.Tokens[0])
			m.Close()
		}
		worst := 0.0
		for i, x := range numbers[0] {
			worst = math.Max(worst, math.Abs(x-numbers[1][i]))
		}
		fmt.Printf("log-probabilities of %d tokens differ by %.3g at most, of %.4g\n", len(numbers[0]), worst, numbers[0][0])
		if !(worst < 0.1) {
			b.Errorf("one card and two differ by %g", worst)
		}
	}
}

// BenchmarkCardsParity compares checkpoints on two cards, in float32, with what transformers computed: logits, maps, five interventions and greedy decoding.
func BenchmarkCardsParity(b *testing.B) {
	dev := twoCards(b)
	for b.Loop() {
		for _, family := range []string{"llama", "gemma2", "mixtral"} {
			start := time.Now()
			dir := filepath.Join("..", "..", "testdata", "reference", family)
			m, err := model.Load(dir, model.Options{Backend: dev, Devices: 2})
			if err != nil {
				b.Fatal(err)
			}
			ref, err := safetensors.Open(filepath.Join(dir, "reference.safetensors"))
			if err != nil {
				b.Fatal(err)
			}
			failed := 0
			rows, err := parity.Compare(m, ref, func(r parity.Row) {
				if !r.Passed() {
					failed++
					b.Errorf("%s: %s: %g, limit %g", family, r.Tensor, r.Value, r.Limit)
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			fmt.Printf("%s on two cards: %d tensors, %d beyond their limits, %.1f s\n", family, len(rows), failed, time.Since(start).Seconds())
			ref.Close()
			m.Close()
		}
	}
}

// BenchmarkCardsScore is the time of a pass of Llama-2-7B's dimensions: on one card, cut over two, and with its layers placed on two and three passes under way, as the engine
// has them. ATTUNE_BENCH_WAYS, "one cut layers", says which.
func BenchmarkCardsScore(b *testing.B) {
	dev := twoCards(b)
	ways := map[string]model.Options{"one": {}, "cut": {Devices: 2}, "layers": {Devices: 2, Place: model.PlaceLayers}}
	which := os.Getenv("ATTUNE_BENCH_WAYS")
	if which == "" {
		which = "one cut layers"
	}
	for b.Loop() {
		for way := range strings.FieldsSeq(which) {
			o := ways[way]
			o.Backend, o.DType = dev, dtypes.BFloat16
			m, err := bench.Model("llama-2-7b", o)
			if err != nil {
				b.Fatal(err)
			}
			for _, s := range []struct {
				name                 string
				rows, tokens, scored int
			}{{"prefill", 4, 1024, 1}, {"prefill", 1, 4096, 1}, {"scoring", 4, 1024, 1024}} {
				batch, want := rowsOf(m.Config, s.rows, s.tokens, s.scored)
				pass := func() float64 {
					start := time.Now()
					if _, err := m.Forward(batch, want, nil); err != nil {
						b.Fatal(err)
					}
					return time.Since(start).Seconds()
				}
				first, least := pass(), math.Inf(1)
				for range 6 {
					least = min(least, pass())
				}
				fmt.Printf("%s: %s %d x %d: first %.1f s, then %.1f ms", way, s.name, s.rows, s.tokens, first, least*1e3)
				const atOnce, each = 3, 4
				start := time.Now()
				var all sync.WaitGroup
				for range atOnce {
					all.Go(func() {
						for range each {
							if _, err := m.Forward(batch, want, nil); err != nil {
								b.Error(err)
							}
						}
					})
				}
				all.Wait()
				fmt.Printf("; three at once: %.1f ms a pass\n", time.Since(start).Seconds()/(atOnce*each)*1e3)
			}
			m.Close()
		}
	}
}

// BenchmarkCardsDecode is how fast a model of Llama-2-7B's dimensions writes, one text and sixteen, cut over two cards.
func BenchmarkCardsDecode(b *testing.B) {
	dev := twoCards(b)
	for b.Loop() {
		m, err := bench.Model("llama-2-7b", model.Options{Backend: dev, DType: dtypes.BFloat16, Devices: 2})
		if err != nil {
			b.Fatal(err)
		}
		for _, rows := range []int{1, 16} {
			batch, _ := rowsOf(m.Config, rows, 64, 1)
			best := 0.0
			for range 3 {
				start := time.Now()
				g, err := m.Generate(batch.Tokens, model.GenerateOptions{MaxTokens: 129, IgnoreEOS: true}, nil)
				if err != nil {
					b.Fatal(err)
				}
				best = max(best, float64(rows*len(g.Tokens[0]))/time.Since(start).Seconds())
			}
			fmt.Printf("7B, %d texts: %.1f tokens/s; the bytes of the weights at 4.3 TB/s allow %.1f for each text\n", rows, best, 4.3e12/float64(m.BytesPerDevice()))
		}
		m.Close()
	}
}

// BenchmarkCards70B makes a model of Llama-2-70B's dimensions, 138 GB, over two cards, surveys a text with it and lets it write.
func BenchmarkCards70B(b *testing.B) {
	dev := twoCards(b)
	for b.Loop() {
		start := time.Now()
		m, err := bench.Model("llama-2-70b", model.Options{Backend: dev, DType: dtypes.BFloat16, Devices: 2})
		if err != nil {
			b.Fatal(err)
		}
		bytes := float64(m.BytesPerDevice())
		fmt.Printf("70B: %.1f GB of weights on each card, made in %.1f s\n", bytes/1e9, time.Since(start).Seconds())
		batch, want := rowsOf(m.Config, 1, 1024, 16)
		for range 3 {
			start := time.Now()
			if _, err := m.Forward(batch, want, nil); err != nil {
				b.Fatal(err)
			}
			fmt.Printf("70B: a pass of 1,024 tokens %.2f s\n", time.Since(start).Seconds())
		}
		for range 2 {
			start := time.Now()
			survey, err := sink.Run(m, batch.Tokens, sink.Options{})
			if err != nil {
				b.Fatal(err)
			}
			rate, err := survey.SinkRate(0, sink.DefaultEps)
			if err != nil {
				b.Fatal(err)
			}
			fmt.Printf("70B: a survey of 1,024 tokens %.2f s, sink rate %.3f\n", time.Since(start).Seconds(), rate.Value)
		}
		for range 3 {
			start := time.Now()
			g, err := m.Generate([][]int{batch.Tokens[0][:64]}, model.GenerateOptions{MaxTokens: 129, IgnoreEOS: true}, nil)
			if err != nil {
				b.Fatal(err)
			}
			took := time.Since(start).Seconds()
			fmt.Printf("70B: %d tokens written in %.2f s, %.1f tokens/s; the bytes of the weights at 4.3 TB/s allow %.1f\n", len(g.Tokens[0]), took, float64(len(g.Tokens[0]))/took, 4.3e12/bytes)
		}
		m.Close()
	}
}
