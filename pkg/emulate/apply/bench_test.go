package apply_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/model"
)

// BenchmarkForward is the embedded model's pass over its whole context of 512 tokens under an intervention. Each pass takes turns with a plain one,
// so that a busy machine slows both, and "x-plain" is the ratio of the median times: the emulation layer is to cost at most 1.25 times the plain
// pass on the Go backend.
func BenchmarkForward(b *testing.B) {
	m, err := model.Load(filepath.Join("..", "..", "..", "testdata", "attune-tiny"), model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	p := make([]int, 512)
	for i := range p {
		p[i] = 5 + (i*i*7+i*3)%900
	}
	want := model.Outputs{Targets: model.Targets{{{Position: len(p) - 1, Token: p[0]}}}}
	pass := func(e model.Experiment) time.Duration {
		start := time.Now()
		if _, err := m.Forward(model.Prompts(p), want, e); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	for _, c := range []struct {
		name string
		spec emulate.Spec
	}{
		{"plain", emulate.Spec{}}, {"released", emulate.Released()}, {"row", emulate.Spec{Alpha: 0.2, Tau: 0.01, Renormalise: emulate.RenormaliseRow}},
		{"first-release", emulate.FirstRelease()}, {"random", emulate.Random(emulate.Released(), 1)}, {"act", emulate.ACT()},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := experiment(b, c.spec)
			pass(nil)
			pass(e)
			var plain, changed []time.Duration
			for b.Loop() {
				b.StopTimer()
				plain = append(plain, pass(nil))
				b.StartTimer()
				changed = append(changed, pass(e))
			}
			slices.Sort(plain)
			slices.Sort(changed)
			b.ReportMetric(float64(changed[len(changed)/2])/float64(plain[len(plain)/2]), "x-plain")
			b.ReportMetric(float64(len(p))/changed[len(changed)/2].Seconds(), "tokens/s")
		})
	}
}

// BenchmarkLongPrompt is a prefill on a GPU at the dimensions of Llama-3.2-1B in bfloat16, random weights, plain and under the emulation layer and a control
// whose masks are not found by limits. device-GB is what XLA lays out for the call.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench LongPrompt -benchtime 5x ./pkg/emulate/apply/
//
// On an H200, in tokens/s and GB, plain and released: 4,096 tokens 242,600 in 2.74 and 194,900 in 3.14 (local 198,100 in 3.11); 16,384 tokens 177,500 and 137,500,
// both in 3.55; 32,768 tokens 126,700 and 88,400, both in 4.62.
func BenchmarkLongPrompt(b *testing.B) {
	b.Setenv("XLA_FLAGS", os.Getenv("XLA_FLAGS")) // put back afterwards
	compiled := bench.DeviceMemory(b.TempDir())
	dev, err := backend.FromEnv()
	if err != nil {
		b.Fatal(err)
	}
	if !backend.IsCUDA(dev) {
		b.Fatalf("needs an NVIDIA GPU, found %s: set ATTUNE_BACKEND=xla:cuda", dev.Name())
	}
	m, err := bench.Model("llama-3.2-1b", model.Options{Backend: dev, DType: dtypes.BFloat16})
	if err != nil {
		b.Fatal(err)
	}
	for _, tokens := range []int{4096, 16384, 32768} {
		for _, c := range []struct {
			name string
			spec emulate.Spec
		}{{"plain", emulate.Spec{}}, {"released", emulate.Released()}, {"local", emulate.Local(emulate.Released())}} {
			if c.name == "local" && tokens > 4096 { // by blocks of rows, which choose bit by bit: compiling takes minutes
				continue
			}
			var e model.Experiment
			if c.name != "plain" {
				e = experiment(b, c.spec)
			}
			var memory int64
			b.Run(fmt.Sprintf("T%d/%s", tokens, c.name), func(b *testing.B) {
				r, err := bench.Prefill(m, tokens, b.N, e)
				if err != nil {
					b.Fatal(err)
				}
				memory = max(memory, compiled())
				b.Log(r.Plan[1])
				b.ReportMetric(r.TokensPerSecond, "tokens/s")
				b.ReportMetric(float64(memory)/1e9, "device-GB")
			})
		}
	}
}
