package sink_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// BenchmarkLongSurvey surveys one long prompt on a GPU: the dimensions of Llama-3.2-1B in bfloat16, random weights, all layers and heads.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench LongSurvey -benchtime 7x ./pkg/sink/
//
// Each set of measures reports tokens/s (the median), its multiple of the plain forward pass's time, and, at 4,096 tokens, its multiple of the tokens/s of
// the peer that gathers the same statistics in PyTorch from eager attention (recipes/sink_peer.py; "usual" keeps all layers' maps, "hooked" one at a time). device-GB
// is the weights and what XLA lays out for the largest stage of the pass, in its own report: inputs, outputs and everything temporary; limit-GB is 1.5 times the weights and 64 bytes for each layer, head
// and token. Every layer must have kept its fused kernel.
//
// In one run on one H200, 4,096 tokens: plain 218,800 tokens/s, received attention 192,200 (0.88 of plain), Everything 132,900 (0.61). The kernel of statistics takes
// 0.13 ms a layer for received attention and 0.30 for all measures, beside 1.05 ms that a layer takes plainly; behind the last layers 0.8 ms of copies are left.
func BenchmarkLongSurvey(b *testing.B) {
	b.Setenv("XLA_FLAGS", os.Getenv("XLA_FLAGS")) // put back afterwards
	compiled := bench.DeviceMemory(b.TempDir())
	dev := accelerator(b)
	m, err := bench.Model("llama-3.2-1b", model.Options{Backend: dev, DType: dtypes.BFloat16})
	if err != nil {
		b.Fatal(err)
	}
	config := m.Config
	weights := float64(config.WeightBytes(dtypes.BFloat16))
	for _, tokens := range []int{4096, 8192} {
		p := make([]int, tokens)
		for i := range p {
			p[i] = (i*7919)%128000 + 10
		}
		run := func(name string, pass func() error) (speed float64) {
			b.Run(fmt.Sprintf("T%d/%s", tokens, name), func(b *testing.B) {
				compiled()
				if err := pass(); err != nil {
					b.Fatal(err)
				}
				var seconds []float64
				for b.Loop() {
					start := time.Now()
					if err := pass(); err != nil {
						b.Fatal(err)
					}
					seconds = append(seconds, time.Since(start).Seconds())
				}
				slices.Sort(seconds)
				speed = float64(tokens) / seconds[len(seconds)/2]
				b.ReportMetric(speed, "tokens/s")
				if bytes := compiled(); bytes > 0 {
					b.ReportMetric((weights+float64(bytes))/1e9, "device-GB")
					b.ReportMetric((1.5*weights+64*float64(config.Layers*config.Heads*tokens))/1e9, "limit-GB")
				} else {
					b.Log("device memory was not measured: XLA wrote no report, as when a test before this benchmark opened it; run the benchmark alone")
				}
			})
			return speed
		}
		plain := run("plain forward", func() error {
			_, err := m.Forward(model.Prompts(p), model.Outputs{Targets: model.Targets{{{Position: tokens - 1, Token: 3}}}}, nil)
			return err
		})
		speeds := map[sink.Measures]float64{}
		for _, set := range []sink.Measures{0, sink.Rows, sink.Rows | sink.Shapes | sink.Norms, sink.Everything} {
			speeds[set] = run(set.String(), func() error {
				s, err := sink.Run(m, [][]int{p}, sink.Options{Measures: set})
				if err != nil {
					return err
				}
				for _, line := range s.Plan {
					if !strings.HasSuffix(line, "fused") {
						return fmt.Errorf("the survey took a layer off its fused kernel: %s", line)
					}
				}
				return nil
			})
			b.Logf("T = %d, %s: %.2f of the plain forward pass's tokens/s", tokens, set, speeds[set]/plain)
		}
		if tokens > 4096 { // the peer's maps would not fit
			continue
		}
		peer, err := bench.Peer(context.Background(), filepath.Join("..", "..", "recipes", "sink_peer.py"), "--vocab", strconv.Itoa(config.VocabSize),
			"--hidden", strconv.Itoa(config.HiddenSize), "--intermediate", strconv.Itoa(config.IntermediateSize), "--layers", strconv.Itoa(config.Layers),
			"--heads", strconv.Itoa(config.Heads), "--kv_heads", strconv.Itoa(config.KVHeads), "--head_dim", strconv.Itoa(config.HeadDim),
			"--positions", strconv.Itoa(config.MaxPositions), "--tokens", strconv.Itoa(tokens), "--repeats", "5", "--tied", "1")
		if err != nil {
			b.Log(err)
			continue
		}
		for set, name := range map[sink.Measures]string{0: "received", sink.Rows: "rows"} {
			for _, way := range []string{"usual", "hooked"} {
				theirs := peer[way+"_"+name+"_tokens_per_second"]
				b.Logf("T = %d, %s: %.1f times the peer's %.0f tokens/s (%s, %.1f GB)", tokens, set, speeds[set]/theirs, theirs, way, peer[way+"_"+name+"_peak_gigabytes"])
			}
		}
	}
}
