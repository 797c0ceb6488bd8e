package own_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/janpfeifer/must"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/lab"
	"github.com/attune-lab/attune/pkg/lab/own"

	. "github.com/gomlx/gomlx/core/graph"
)

// onFirst observes how much attention a layer gives the first token: an observer of one's own, as a cell holds it.
type onFirst struct{}

func (onFirst) Visit(l attention.Layer) *attention.Visit {
	return &attention.Visit{Key: fmt.Sprint("on first ", l.Index), Build: func(s *attention.Site) {
		s.Emit("on first", ReduceAllMean(SliceAxis(s.Probs(), -1, AxisElem(0))))
	}}
}

func Example() {
	dir := must.M1(os.MkdirTemp("", "own"))
	defer os.RemoveAll(dir)
	os.Setenv("ATTUNE_RUN_DIR", dir)
	defer os.Unsetenv("ATTUNE_RUN_DIR")
	s := lab.Open("own", lab.Options{Model: filepath.Join("..", "..", "..", "testdata", "attune-tiny")})
	r := must.M1(own.Forward(s, []string{"Question: what is 2 + 2?"}, onFirst{}))
	fmt.Printf("%.2f of layer 0's attention, %.2f of layer 1's\n", own.Number(r, "on first", 0), own.Number(r, "on first", 1))
	// Output: 0.25 of layer 0's attention, 0.29 of layer 1's
}

// TestAUniformGainDoesNothingWhereTheOutputIsNormalised is what notebook 03 shows.
func TestAUniformGainDoesNothingWhereTheOutputIsNormalised(t *testing.T) {
	prompt := []int{1, 7, 30, 52, 11, 9, 80, 3}
	for family, normalised := range map[string]bool{"llama": false, "gemma2": true, "olmo2": true} {
		m, err := own.Tiny(family)
		if err != nil {
			t.Fatal(err)
		}
		moved, err := own.Moved(m, prompt, emulate.FirstRelease())
		if err != nil {
			t.Fatal(err)
		}
		if (moved < 1e-4) != normalised {
			t.Errorf("%s: a uniform gain moves a logit by %g", family, moved)
		}
	}
}
