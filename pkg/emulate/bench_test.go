package emulate_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/model"
)

// BenchmarkForward is the embedded model's pass over its whole context of 512 tokens under an intervention. Each pass takes turns with a plain one,
// so that a busy machine slows both, and "x-plain" is the ratio of the median times: the emulation layer is to cost at most 1.25 times the plain
// pass on the Go backend.
func BenchmarkForward(b *testing.B) {
	m, err := model.Load(filepath.Join("..", "..", "testdata", "attune-tiny"), model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	p := make([]int, 512)
	for i := range p {
		p[i] = 5 + (i*i*7+i*3)%900
	}
	want := model.Want{Targets: model.Targets{{{Position: len(p) - 1, Token: p[0]}}}}
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
