package sink_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"k8s.io/klog/v2"

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
// is what XLA lays out for the call: weights, inputs, outputs and everything temporary; limit-GB is 1.5 times the weights and 64 bytes for each layer, head
// and token. Every layer must have kept its fused kernel.
func BenchmarkLongSurvey(b *testing.B) {
	dev := accelerator(b)
	memory := watchMemory(b)
	config, err := bench.Config("llama-3.2-1b")
	if err != nil {
		b.Fatal(err)
	}
	m, err := model.NewOnDevice(config, 1, model.Options{Backend: dev, DType: dtypes.BFloat16})
	if err != nil {
		b.Fatal(err)
	}
	weights := float64(config.WeightBytes(dtypes.BFloat16))
	for _, tokens := range []int{4096, 8192} {
		p := make([]int, tokens)
		for i := range p {
			p[i] = (i*7919)%128000 + 10
		}
		run := func(name string, pass func() error) (speed float64) {
			b.Run(fmt.Sprintf("T%d/%s", tokens, name), func(b *testing.B) {
				*memory = 0
				if err := pass(); err != nil { // compiles
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
				if *memory > 0 { // the first of the benchmark's own repeats
					b.ReportMetric(*memory/1e9, "device-GB")
					b.ReportMetric((1.5*weights+64*float64(config.Layers*config.Heads*tokens))/1e9, "limit-GB")
				}
			})
			return speed
		}
		plain := run("plain forward", func() error {
			_, err := m.Forward(model.Prompts(p), model.Want{Targets: model.Targets{{{Position: tokens - 1, Token: 3}}}}, nil)
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

// watchMemory follows the device memory of the largest graph compiled: go-xla knows it and tells it in its log only.
func watchMemory(b *testing.B) *float64 {
	largest := new(float64)
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{"v": "1", "logtostderr": "false", "stderrthreshold": "FATAL"} {
		if err := flags.Set(name, value); err != nil {
			b.Fatal(err)
		}
	}
	klog.SetOutput(logged(func(text string) { *largest = max(*largest, deviceBytes(text)) }))
	b.Cleanup(func() {
		if err := flags.Set("v", "0"); err != nil {
			b.Error(err)
		}
		klog.SetOutput(logged(func(string) {}))
	})
	return largest
}

type logged func(text string)

func (f logged) Write(text []byte) (int, error) { f(string(text)); return len(text), nil }

var deviceMemory = regexp.MustCompile(`On Device: \[Code:.*?, Inputs:([^,]*), Outputs:([^,]*), Aliases:[^,]*, Temporary:([^,\]]*)\]`)

// deviceBytes reads a line such as "Memory usage: On Device: [Code:1.2 MiB, Inputs:2.3 GiB, Outputs:16.1 MiB, Aliases:0 B, Temporary:345.5 MiB]".
func deviceBytes(text string) (sum float64) {
	found := deviceMemory.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	units := map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	for _, part := range found[1:] {
		var value float64
		var unit string
		if n, _ := fmt.Sscan(part, &value, &unit); n < 2 {
			return 0
		}
		sum += value * units[unit]
	}
	return sum
}
