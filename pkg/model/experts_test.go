package model

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
)

// TestMixture compares both ways of computing the experts, for few rows and for many, with the formula in plain Go.
func TestMixture(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	e := &experts{renormalise: true, router: dense{name: "router", in: 6, out: 5, bias: true}, gateUp: "gate_up", gateUpBias: "gate_up_bias", down: "down", downBias: "down_bias",
		count: 5, active: 2, hidden: 6, inner: 4, limit: 1, alpha: 1.702}
	random := normals(rand.New(rand.NewPCG(1, 2)))
	weights := map[string][]float32{}
	for _, w := range e.weights() {
		weights[w.name] = random(w.size())
	}
	for _, rows := range []int{1, 2, 7} {
		x := random(rows * e.hidden)
		exec := MustNewExec(b, func(x *Node) *Node {
			params := map[string]*Node{}
			for _, w := range e.weights() {
				params[w.name] = Reshape(Const(x.Graph(), weights[w.name]), w.shape...)
			}
			return (&decoder{params: params}).mixture(e, x)
		})
		got := tensors.MustCopyFlatData[float32](exec.MustExec(tensors.FromFlatDataAndDimensions(x, 1, rows, e.hidden))[0])
		for r := range rows {
			want := e.byHand(weights, x[r*e.hidden:][:e.hidden])
			for i, v := range want {
				if math.Abs(v-float64(got[r*e.hidden+i])) > 1e-5 {
					t.Errorf("%d rows: row %d entry %d is %g, expected %g", rows, r, i, got[r*e.hidden+i], v)
				}
			}
		}
	}
}

// TestRankedIsTopK, also where logits are equal: the expert of the lower number comes first.
func TestRankedIsTopK(t *testing.T) {
	b, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	logits := [][]float32{{1, 3, 3, -2, 0}, {0, 0, 0, 5, 0}, {-4, -3, -2, -1, -1}, {2, 2, 2, 2, 2}}
	for _, row := range slices.Collect(slices.Chunk(normals(rand.New(rand.NewPCG(3, 4)))(200), 5)) {
		logits = append(logits, row)
	}
	for k := 1; k <= 5; k++ {
		out := MustExecOnceN(b, func(x *Node) []*Node {
			chosen, top := topK(x, k)
			all, values := ranked(x, k)
			return []*Node{chosen, top, all, values}
		}, logits)
		for i := range 2 {
			if want, got := out[i].Value(), out[2+i].Value(); !reflect.DeepEqual(want, got) {
				t.Errorf("%d of 5: %v, expected %v", k, got, want)
			}
		}
	}
}

// normals gives so many normal numbers at a time.
func normals(rng *rand.Rand) func(n int) []float32 {
	return func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
}

// byHand is the mixture of one row in float64.
func (e *experts) byHand(w map[string][]float32, x []float32) []float64 {
	logits := make([]float64, e.count)
	order := make([]int, e.count)
	for k := range logits {
		order[k], logits[k] = k, float64(w["router.bias"][k])
		for i, v := range x {
			logits[k] += float64(v) * float64(w["router.weight"][k*e.hidden+i])
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		if logits[a] > logits[b] {
			return -1
		}
		return 1
	})
	total := 0.0
	for _, k := range order[:e.active] {
		total += math.Exp(logits[k])
	}
	out := make([]float64, e.hidden)
	for _, k := range order[:e.active] {
		share := math.Exp(logits[k]) / total
		column := func(j int) float64 {
			sum := float64(w["gate_up_bias"][k*2*e.inner+j])
			for i, v := range x {
				sum += float64(v) * float64(w["gate_up"][(k*e.hidden+i)*2*e.inner+j])
			}
			return sum
		}
		for o := range out {
			out[o] += share * float64(w["down_bias"][k*e.hidden+o])
		}
		for j := range e.inner {
			gate, up := min(column(2*j), e.limit), max(-e.limit, min(column(2*j+1), e.limit))
			y := (up + 1) * gate / (1 + math.Exp(-e.alpha*gate))
			for o := range out {
				out[o] += share * y * float64(w["down"][(k*e.inner+j)*e.hidden+o])
			}
		}
	}
	return out
}
