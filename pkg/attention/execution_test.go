package emulate

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/model"
)

const (
	testLayers = 3
	testHeads  = 4
	testVocab  = 97
)

func testModel(t *testing.T) *model.Model {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: testVocab, HiddenSize: 32, IntermediateSize: 48, Layers: testLayers, Heads: testHeads, KVHeads: 2, HeadDim: 8,
		MaxPositions: 256, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testPrompt(n int) []int {
	p := []int{1}
	for i := 1; i < n; i++ {
		p = append(p, (34+i*i*5+i)%(testVocab-3)+3)
	}
	return p
}

// probe emits what it is asked for at every site, beside a Spec attached in the same graph.
type probe struct {
	what string
	spec Spec
	emit func(run *model.Run, a *attached, site *model.Site)
}

func (p probe) Key() string { return fmt.Sprintf("probe %s %s", p.what, p.spec.JSON()) }

func (p probe) Attach(run *model.Run) func(*model.Site) {
	a := &attached{spec: p.spec}
	return func(site *model.Site) {
		a.observe(site)
		p.emit(run, a, site)
	}
}

func emitted(t *testing.T, m *model.Model, p []int, e probe) map[string]*tensors.Tensor {
	t.Helper()
	r, err := m.Forward(model.Batch{Tokens: [][]int{p}, Bucket: 1}, model.Want{}, e)
	if err != nil {
		t.Fatal(err)
	}
	return r.Emitted
}

// edits are Specs for every kind of edit.
func edits() map[string]Spec {
	gain := func(g float64) Spec { return Spec{Alpha: g - 1, Schedule: ScheduleConstant, Tau: 0.04} }
	with := func(s Spec, r Renormalisation) Spec { s.Renormalise = r; return s }
	heads := with(gain(2), RenormaliseNone)
	heads.Heads = []int{1, 2}
	return map[string]Spec{
		"none": gain(1.7), "none, damped": gain(0.3), "none, gain 0": gain(0), "row": with(gain(1.7), RenormaliseRow), "row, gain 0": with(gain(0), RenormaliseRow),
		"rest": with(gain(0.4), RenormaliseRest), "rest, gain 0": with(gain(0), RenormaliseRest), "uniform": Uniform(gain(1.7)), "all": FirstRelease(), "heads": heads,
		"keep-diagonal": with(gain(1.7), RenormaliseKeepDiagonal), "keep-diagonal, damped": with(gain(0.3), RenormaliseKeepDiagonal), "pair best": {Alpha: 1, Schedule: ScheduleConstant, Tau: 0.04, Pairing: PairBest},
		"two sources": {Alpha: 1, Schedule: ScheduleConstant, Tau: 0.04, Source: []int{0, 1}}, "pair mean": {Alpha: 1, Schedule: ScheduleConstant, Tau: 0.04, Pairing: PairMean}, "quantile": {Alpha: 1, Schedule: ScheduleConstant, Quantile: 0.8},
		"outside": PASTA([][2]int{{3, 20}}, [][2]int{{1, 0}, {2, 3}}), "top 3": {Alpha: 1, Schedule: ScheduleConstant, TopK: 3}, "local": Local(gain(2)),
		"zero-tuning": ZeroTuning(0.2), "act": ACT(), "random": Random(gain(2), 3),
	}
}

// onScores are the passes of a fused kernel, computed without one.
func onScores(a *attached, e edit, site *model.Site) passes {
	pass := func(bias *Node) (out, lse *Node) {
		scores := site.Scores()
		if bias != nil {
			scores = Add(scores, bias)
		}
		return site.Weigh(Softmax(scores, -1)), Squeeze(logSumExp(scores), -1)
	}
	return passes{
		plain: func() (out, lse *Node) { return pass(nil) }, inside: func() (out, lse *Node) { return pass(a.bias(e, site, true)) },
		outside: func() (out, lse *Node) { return pass(a.bias(e, site, false)) }, own: func(lse *Node) (share, value *Node) { return own(site, lse) },
	}
}

// logSumExp of each row, [..., keys] -> [..., 1].
func logSumExp(scores *Node) *Node {
	top := ReduceAndKeep(scores, ReduceMax, -1)
	return Add(top, Log(sumRow(Exp(Sub(scores, top)))))
}

// TestRunsOfAKernelAndBlocksOfRowsAreTheEditOnProbabilities is the second equivalence: passes with a bias that does not depend on the gain give the edit
// exactly, and so do blocks of rows. Masks come from blocks of 16 rows here, so that their seams are tested.
func TestRunsOfAKernelAndBlocksOfRowsAreTheEditOnProbabilities(t *testing.T) {
	m := testModel(t)
	const tokens = 40
	defer func(n int) { blockBytes = n }(blockBytes)
	blockBytes = 16 * 4 * testHeads * tokens
	for name, s := range edits() {
		fused := false
		out := emitted(t, m, testPrompt(tokens), probe{"fused", s, func(run *model.Run, a *attached, site *model.Site) {
			e, ok := a.edit(site)
			if !ok {
				return
			}
			if n := len(blocks(site, 1)); n != 3 {
				t.Fatalf("%d blocks, expected 3", n)
			}
			whole := site.Weigh(a.dense(e, site, site.Probs()))
			differ := func(what string, x *Node) {
				run.Emit(fmt.Sprint(what, " ", site.Layer), ReduceAllMax(Abs(Sub(x, whole))))
			}
			differ("change", site.Weigh(site.Probs()))
			if a.cuttable(site) {
				differ("blocks", a.runBlocks(e, site))
			}
			if fused = e.fusedForm(); fused {
				differ("fused", e.fused(onScores(a, e, site)))
			}
		}})
		if fused == (name == "keep-diagonal, damped") {
			t.Errorf("%s: fused form %t", name, fused)
		}
		for what, d := range out {
			x := tensors.ToScalar[float32](d)
			if what[:6] == "change" {
				if x < 1e-3 {
					t.Errorf("%s: %s is %g: the test says nothing", name, what, x)
				}
			} else if !(x < 4e-6) {
				t.Errorf("%s, %s: differs from the edit on probabilities by %g", name, what, x)
			}
		}
	}
}

// TestThresholdNeedsNoSoftmax is the first equivalence: s > LSE + log tau marks what A > tau marks. Entries whose probability is within
// rounding of tau may fall on either side.
func TestThresholdNeedsNoSoftmax(t *testing.T) {
	m := testModel(t)
	for _, s := range []Spec{{Tau: 0.001}, {Tau: 0.01}, {Tau: 0.04}, {Tau: 0.3}, {PerKey: 0.5}, {PerKey: 2}} {
		s.Alpha, s.Diagonal = 1, true
		out := emitted(t, m, testPrompt(60), probe{"threshold", s, func(run *model.Run, a *attached, site *model.Site) {
			if site.Layer != 0 {
				return
			}
			scores := site.Scores()
			limits := InsertAxes(s.limits(Squeeze(logSumExp(scores), -1), site.QueryPos), -1)
			marked := func(mask *Node) *Node { return ConvertDType(mask, dtypes.Float32) }
			byProbs, byScores := marked(a.spec.patternOf(a.sources[:1]).shared), marked(GreaterThan(scores, like(limits, scores)))
			near := marked(LessThan(Abs(Sub(scores, limits)), Scalar(scores.Graph(), dtypes.Float32, 1e-6)))
			run.Emit("marked", ReduceAllSum(byProbs))
			run.Emit("differ", ReduceAllSum(Mul(Abs(Sub(byProbs, byScores)), OneMinus(near))))
		}})
		if n := tensors.ToScalar[float32](out["differ"]); n != 0 {
			t.Errorf("%s: %g entries differ", s, n)
		}
		if tensors.ToScalar[float32](out["marked"]) == 0 {
			t.Errorf("%s marks nothing: the test says nothing", s)
		}
	}
}

// TestBitsHoldTheMask: what the one-pass kernel reads is the mask that the edit on probabilities takes, seams of blocks included.
func TestBitsHoldTheMask(t *testing.T) {
	m := testModel(t)
	const tokens = 70
	for name, s := range edits() {
		if s.Mask == MaskAll || s.Mask == MaskRunningSinks {
			continue // nothing to mark; not made by blocks
		}
		out := emitted(t, m, testPrompt(tokens), probe{"bits", s, func(run *model.Run, a *attached, site *model.Site) {
			if _, ok := a.edit(site); !ok || site.Layer != testLayers-2 && site.Layer != testLayers-1 || a.bits != nil {
				return
			}
			run.Emit(fmt.Sprint("bits ", site.Layer), a.inBits(site))
			run.Emit(fmt.Sprint("mask ", site.Layer), ConvertDType(BroadcastToDims(a.mask(site), entries(site)...), dtypes.Int32))
		}})
		marked := 0
		for layer := range testLayers {
			if out[fmt.Sprint("bits ", layer)] == nil {
				continue
			}
			bits := tensors.MustCopyFlatData[int32](out[fmt.Sprint("bits ", layer)])
			mask := tensors.MustCopyFlatData[int32](out[fmt.Sprint("mask ", layer)])
			words := len(bits) / (testHeads * tokens)
			for at, want := range mask {
				row, key := at/tokens, at%tokens
				if key > row%tokens {
					continue // no query sees the future, whatever a mask says of it
				}
				if got := bits[row*words+key/32] >> (key % 32) & 1; got != want {
					t.Fatalf("%s, layer %d, head %d, query %d, key %d: bit %d, expected %d", name, layer, row/tokens, row%tokens, key, got, want)
				}
				marked += int(want)
			}
		}
		if marked == 0 {
			t.Errorf("%s marks nothing: the test says nothing", name)
		}
	}
}

// masks returns a Spec's mask in a layer, [head][query][key].
func masks(t *testing.T, m *model.Model, p []int, s Spec, layer int) [][][]bool {
	t.Helper()
	out := emitted(t, m, p, probe{fmt.Sprint("mask ", layer), s, func(run *model.Run, a *attached, site *model.Site) {
		if site.Layer == layer {
			run.Emit("mask", ConvertDType(a.mask(site), dtypes.Int32))
		}
	}})
	flat := tensors.MustCopyFlatData[int32](out["mask"])
	n := len(p)
	all := make([][][]bool, testHeads)
	for h := range all {
		all[h] = make([][]bool, n)
		for i := range all[h] {
			for j := range n {
				all[h][i] = append(all[h][i], flat[(h*n+i)*n+j] == 1)
			}
		}
	}
	return all
}

func count(row []bool) int {
	n := 0
	for _, x := range row {
		if x {
			n++
		}
	}
	return n
}

// TestControlsHaveTheDensityOfTheMask: the random and the local control take as many entries of every row as the mask they control for, none
// of them excluded or in the future; the random one is that of its hash, and another one in another layer, head and for another seed.
func TestControlsHaveTheDensityOfTheMask(t *testing.T) {
	m := testModel(t)
	p := testPrompt(50)
	s := Spec{Alpha: 1, Tau: 0.03, ExcludePositions: []int{4}}
	want := masks(t, m, p, s, 1)
	random, local := masks(t, m, p, Random(s, 5), 1), masks(t, m, p, Local(s), 1)
	different := 0
	for h := range want {
		for i := range p {
			n := count(want[h][i])
			var eligible []int
			for j := range i {
				if j != 4 {
					eligible = append(eligible, j)
				}
			}
			nearest := make([]bool, len(p))
			for _, j := range eligible[len(eligible)-n:] {
				nearest[j] = true
			}
			if !slices.Equal(local[h][i], nearest) {
				t.Fatalf("head %d, query %d: the local mask is %v, expected the nearest %d", h, i, local[h][i], n)
			}
			if expected := byHash(5, 1, h, i, n, eligible, len(p)); !slices.Equal(random[h][i], expected) {
				t.Fatalf("head %d, query %d: the random mask is %v, by its hash %v", h, i, random[h][i], expected)
			}
			if !slices.Equal(random[h][i], want[h][i]) {
				different++
			}
		}
	}
	if different < len(p)*testHeads/2 {
		t.Errorf("only %d random rows differ from the mask", different)
	}
	if slices.EqualFunc(random[0], random[1], slices.Equal) {
		t.Error("two heads have the same random mask")
	}
	for name, other := range map[string][][][]bool{"layer": masks(t, m, p, Random(s, 5), 2), "seed": masks(t, m, p, Random(s, 6), 1)} {
		if slices.EqualFunc(random[0], other[0], slices.Equal) {
			t.Errorf("the random mask is the same for another %s", name)
		}
	}
}

// byHash draws a row's mask on the host.
func byHash(seed uint32, layer, head, query, n int, eligible []int, keys int) []bool {
	priority := func(j int) uint32 {
		h := mixHost(mixHost(mixHost(mixHost(mixHost(seed)+uint32(layer))+uint32(head))+uint32(query)) + uint32(j))
		return h>>17<<15 | uint32(j)
	}
	order := slices.Clone(eligible)
	slices.SortFunc(order, func(a, b int) int { return int(priority(b)) - int(priority(a)) })
	row := make([]bool, keys)
	for _, j := range order[:n] {
		row[j] = true
	}
	return row
}

// TestDrawIsEven: over many rows, random masks take every distance about equally often.
func TestDrawIsEven(t *testing.T) {
	const rows, keys, take = 4000, 16, 4
	eligible := make([]int, keys)
	for j := range eligible {
		eligible[j] = j
	}
	taken := make([]int, keys)
	for i := range rows {
		for j, x := range byHash(1, 2, 3, i, take, eligible, keys) {
			if x {
				taken[j]++
			}
		}
	}
	// A count is binomial: 1000 expected, standard deviation 27.
	for j, n := range taken {
		if math.Abs(float64(n)-rows*take/keys) > 5*27.4 {
			t.Errorf("key %d is taken %d times of %d, expected about %d", j, n, rows, rows*take/keys)
		}
	}
}

// TestAtMostOneOverTauKeysAreMarked holds at any length, since a row of probabilities sums to one.
func TestAtMostOneOverTauKeysAreMarked(t *testing.T) {
	m := testModel(t)
	for _, s := range []Spec{{Alpha: 1, Tau: 0.05}, {Alpha: 1, Tau: 0.05, Diagonal: true}, {Alpha: 1, Tau: 0.05, Source: []int{0, 1}}, {Alpha: 1, Tau: 0.05, Pairing: PairMean}, {Alpha: 1, Tau: 0.05, Pairing: PairBest}} {
		most := 0
		for _, rows := range masks(t, m, testPrompt(200), s, 2) {
			for i, row := range rows {
				most = max(most, count(row))
				if row[i] && !s.Diagonal {
					t.Errorf("%v: query %d marks itself", s, i)
				}
				if count(row[i+1:]) > 0 {
					t.Errorf("%v: query %d marks the future", s, i)
				}
			}
		}
		if most == 0 || most > 20 {
			t.Errorf("%v: a row has %d entries marked, expected 1 to 20", s, most)
		}
	}
}
