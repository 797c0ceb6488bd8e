package sink

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// keySums emits layer 1's column sums, from its probabilities and from what its keys see.
type keySums struct{ padded bool }

func (k keySums) Visit(l attention.Layer) *attention.Visit {
	if l.Index != 1 {
		return nil
	}
	return &attention.Visit{Key: "column sums", Build: func(site *attention.Site) {
		c := &collector{site: site}
		if k.padded {
			c.valid = InsertAxes(attention.Valid(site), 1)
		}
		queries, keys := c.seenFromKeys(site, attention.RowsLSE(site))
		scores := MulScalar(Einsum("bhkd,bhqd->bhkq", keys, queries), site.Scale)
		behind := LowerTriangular(site.Query.Graph(), scores.Shape().Dimensions[2])
		scores = Where(BroadcastToDims(InsertAxes(behind, 0, 0), scores.Shape().Dimensions...), scores, MulScalar(OnesLike(scores), attention.Masked))
		site.Emit("seen", Reverse(ReduceSum(Exp(scores), -1), 2))
		a := squareOf(site, c.valid)
		site.Emit("summed", a.sumGroups(a.columns(a.tokens)))
	}}
}

// TestColumnsSeenFromKeys: attention from the keys to the queries, both in reversed order, with each query's log-sum-exp appended to it, sums the columns. The
// kernel that the survey uses exists on CUDA only; here its operands are multiplied out.
func TestColumnsSeenFromKeys(t *testing.T) {
	config := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 128, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(config, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := func(n int) (p []int) {
		for i := range n {
			p = append(p, (i*i*5+i)%94+3)
		}
		return p
	}
	for name, prompts := range map[string][][]int{"one length": {text(50), text(50)}, "padded": {text(50), text(33)}} {
		r, err := m.Forward(model.Batch{Tokens: prompts}, model.Want{}, keySums{name == "padded"})
		if err != nil {
			t.Fatal(err)
		}
		seen, summed := tensors.MustCopyFlatData[float32](r.Emitted["seen"][1]), tensors.MustCopyFlatData[float32](r.Emitted["summed"][1])
		for i, want := range summed {
			if math.Abs(float64(seen[i]-want)) > 1e-5*math.Max(1e-3, float64(want)) {
				t.Fatalf("%s: column %d is %g seen from its key, %g summed", name, i, seen[i], want)
			}
		}
	}
}
