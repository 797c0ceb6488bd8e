package attention_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
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

// probe emits what it is asked for of the changes that a emulate.Spec makes, in place of making them.
type probe struct {
	what  string
	spec  emulate.Spec
	emit  func(c *attention.Plan)
	visit func(site *attention.Site) // called at every layer, may be nil
}

func (p probe) Visit(l attention.Layer) *attention.Visit {
	e, err := apply.New(p.spec)
	if err != nil {
		panic(err)
	}
	v := e.Visit(l)
	if v == nil {
		v = &attention.Visit{}
	}
	build := v.Build
	v.Key = fmt.Sprintf("probe %s %d %s", p.what, l.Index, p.spec.JSON())
	v.Build = func(site *attention.Site) {
		attention.Intercept(site, p.emit)
		if build != nil {
			build(site)
		}
		if p.visit != nil {
			p.visit(site)
		}
	}
	return v
}

// emitted runs a prompt: of each name and layer what was emitted.
func emitted(t *testing.T, m *model.Model, p []int, e probe) map[string]*tensors.Tensor {
	t.Helper()
	r, err := m.Forward(model.Batch{Tokens: [][]int{p}, Bucket: 1}, model.Outputs{}, e)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*tensors.Tensor{}
	for name, layers := range r.Emitted {
		for l, x := range layers {
			if x != nil {
				all[fmt.Sprint(name, " ", l)] = x
			}
		}
	}
	return all
}

// edits are Specs for every kind of edit.
func edits() map[string]emulate.Spec {
	gain := func(g float64) emulate.Spec {
		return emulate.Spec{Alpha: g - 1, Schedule: emulate.ScheduleConstant, Tau: 0.04}
	}
	with := func(s emulate.Spec, r emulate.Renormalisation) emulate.Spec { s.Renormalise = r; return s }
	heads := with(gain(2), emulate.RenormaliseNone)
	heads.Heads = []int{1, 2}
	return map[string]emulate.Spec{
		"none": gain(1.7), "none, damped": gain(0.3), "none, gain 0": gain(0), "row": with(gain(1.7), emulate.RenormaliseRow), "row, gain 0": with(gain(0), emulate.RenormaliseRow),
		"rest": with(gain(0.4), emulate.RenormaliseRest), "rest, gain 0": with(gain(0), emulate.RenormaliseRest), "uniform": emulate.Uniform(gain(1.7)), "all": emulate.FirstRelease(), "heads": heads,
		"keep-diagonal": with(gain(1.7), emulate.RenormaliseKeepDiagonal), "keep-diagonal, damped": with(gain(0.3), emulate.RenormaliseKeepDiagonal), "pair best": {Alpha: 1, Schedule: emulate.ScheduleConstant, Tau: 0.04, Pairing: emulate.PairBest},
		"two sources": {Alpha: 1, Schedule: emulate.ScheduleConstant, Tau: 0.04, Source: []int{0, 1}}, "pair mean": {Alpha: 1, Schedule: emulate.ScheduleConstant, Tau: 0.04, Pairing: emulate.PairMean}, "quantile": {Alpha: 1, Schedule: emulate.ScheduleConstant, Quantile: 0.8},
		"outside": emulate.PASTA([][2]int{{3, 20}}, [][2]int{{1, 0}, {2, 3}}), "top 3": {Alpha: 1, Schedule: emulate.ScheduleConstant, TopK: 3}, "local": emulate.Local(gain(2)),
		"zero-tuning": emulate.ZeroTuning(0.2), "act": emulate.ACT(), "random": emulate.Random(gain(2), 3),
	}
}

// onScores is a run of a fused kernel, computed without one.
func onScores(site *attention.Site) func(bias *Node) (out, lse *Node) {
	return func(bias *Node) (out, lse *Node) {
		scores := site.Scores()
		if bias != nil {
			scores = Add(scores, bias)
		}
		return site.Weigh(Softmax(scores, -1)), Squeeze(logSumExp(scores), -1)
	}
}

// logSumExp of each row, [..., keys] -> [..., 1].
func logSumExp(scores *Node) *Node {
	top := ReduceAndKeep(scores, ReduceMax, -1)
	return Add(top, Log(attention.SumRow(Exp(Sub(scores, top)))))
}

// TestRunsOfAKernelAndBlocksOfRowsAreTheEditOnProbabilities is the second equivalence: passes with a bias that does not depend on the gain give the edit
// exactly, and so do blocks of rows. Masks come from blocks of 16 rows here, so that their seams are tested.
func TestRunsOfAKernelAndBlocksOfRowsAreTheEditOnProbabilities(t *testing.T) {
	m := testModel(t)
	const tokens = 40
	defer attention.BlockBytes(attention.BlockBytes(16 * 4 * testHeads * tokens))
	for name, s := range edits() {
		fused := false
		out := emitted(t, m, testPrompt(tokens), probe{what: "fused", spec: s, emit: func(c *attention.Plan) {
			site := c.Site()
			if n := site.Blocks(1); n != 3 {
				t.Fatalf("%d blocks, expected 3", n)
			}
			whole := site.Weigh(c.OnProbs(site.Probs()))
			differ := func(what string, x *Node) {
				site.Emit(what, ReduceAllMax(Abs(Sub(x, whole))))
			}
			differ("change", site.Weigh(site.Probs()))
			if c.Cuttable() {
				differ("blocks", c.RunBlocks())
			}
			if fused = c.FusedForm(); fused {
				differ("fused", c.ByPasses(onScores(site)))
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
	for _, s := range []emulate.Spec{{Tau: 0.001}, {Tau: 0.01}, {Tau: 0.04}, {Tau: 0.3}, {PerKey: 0.5}, {PerKey: 2}} {
		s.Alpha, s.Diagonal = 1, true
		threshold := s.Tau + s.PerKey
		out := emitted(t, m, testPrompt(60), probe{what: "threshold", spec: s, visit: func(site *attention.Site) {
			if site.Index != 0 {
				return
			}
			scores := site.Scores()
			limits := InsertAxes(attention.Limits(Squeeze(logSumExp(scores), -1), site.QueryPos, Scalar(scores.Graph(), dtypes.Float32, threshold), s.PerKey > 0), -1)
			marked := func(mask *Node) *Node { return ConvertDType(mask, dtypes.Float32) }
			byProbs, byScores := marked(site.Kept("emulated.mask")), marked(GreaterThan(scores, attention.Like(limits, scores)))
			near := marked(LessThan(Abs(Sub(scores, limits)), Scalar(scores.Graph(), dtypes.Float32, 1e-6)))
			site.Emit("marked", ReduceAllSum(byProbs))
			site.Emit("differ", ReduceAllSum(Mul(Abs(Sub(byProbs, byScores)), OneMinus(near))))
		}})
		if n := tensors.ToScalar[float32](out["differ 0"]); n != 0 {
			t.Errorf("%s: %g entries differ", s, n)
		}
		if tensors.ToScalar[float32](out["marked 0"]) == 0 {
			t.Errorf("%s marks nothing: the test says nothing", s)
		}
	}
}

// TestBitsHoldTheMask: what the one-pass kernel reads is the mask that the edit on probabilities takes, seams of blocks included.
func TestBitsHoldTheMask(t *testing.T) {
	m := testModel(t)
	const tokens = 70
	for name, s := range edits() {
		if s.Mask == emulate.MaskAll || s.Mask == emulate.MaskRunningSinks {
			continue // nothing to mark; not made by blocks
		}
		out := emitted(t, m, testPrompt(tokens), probe{what: "bits", spec: s, emit: func(c *attention.Plan) {
			site := c.Site()
			if site.Index != testLayers-2 && site.Index != testLayers-1 {
				return
			}
			site.Emit("bits", c.InBits())
			site.Emit("mask", ConvertDType(BroadcastToDims(c.Whole(), site.Entries()...), dtypes.Int32))
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

// TestEveryFormKeepsTheMask: later layers find the same mask, whole and by blocks of rows, whether the source kept it whole, in bits, or kept what it is found from.
// Probabilities within rounding of a threshold may fall on either side: two entries of 76,800.
func TestEveryFormKeepsTheMask(t *testing.T) {
	m := testModel(t)
	const tokens = 40
	defer attention.BlockBytes(attention.BlockBytes(16 * 4 * testHeads * tokens))
	limits := false
	for name, s := range edits() {
		if s.Mask != emulate.MaskThreshold && s.Mask != emulate.MaskUniform && s.Mask != emulate.MaskRandom && s.Mask != emulate.MaskLocal || len(s.Source) > 1 {
			continue
		}
		var whole map[string]*tensors.Tensor
		for _, form := range []string{"whole", "bits", "operands"} {
			if form != "whole" && s.Pairing == emulate.PairBest && form == "bits" {
				continue // its probabilities are kept, too
			}
			out := emitted(t, m, testPrompt(tokens), probe{what: form, spec: s, visit: func(site *attention.Site) {
				if site.Index == 0 {
					attention.InForm(site, "emulated", form)
				}
			}, emit: func(c *attention.Plan) {
				site := c.Site()
				site.Emit("mask", ConvertDType(c.Whole(), dtypes.Float32))
				site.Emit("blocks", ConvertDType(c.RunBlocks(), dtypes.Float32))
				if mask := c.FoundByLimits(); mask != nil {
					limits = true
					site.Emit("limits", ConvertDType(mask, dtypes.Float32))
				}
			}})
			if form == "whole" {
				whole = out
				continue
			}
			for what, x := range out {
				want := whole[what]
				if l, ok := strings.CutPrefix(what, "limits"); ok {
					want = whole["mask"+l]
				}
				differ, got := 0, tensors.MustCopyFlatData[float32](x)
				for i, w := range tensors.MustCopyFlatData[float32](want) {
					if math.Abs(float64(w-got[i])) > 1e-5 {
						differ++
					}
				}
				if limit := map[bool]int{true: 2, false: 16}[!strings.HasPrefix(what, "blocks")]; differ > limit {
					t.Errorf("%s kept as %s: %d numbers of %s differ", name, form, differ, what)
				}
			}
		}
	}
	if !limits {
		t.Error("no mask was found by limits: the test says nothing of them")
	}
}

// TestLargeLayersGoByBlocksOfRows: where a layer's probabilities are too large to be formed at once, and no fused kernel computes it, blocks of rows give the same
// output, and the same row sums to those who observe.
func TestLargeLayersGoByBlocksOfRows(t *testing.T) {
	m := testModel(t)
	const tokens = 40
	defer attention.BlockBytes(attention.BlockBytes(16 * 4 * testHeads * tokens))
	out := emitted(t, m, testPrompt(tokens), probe{what: "large", spec: emulate.Released(), emit: func(*attention.Plan) {}, visit: func(site *attention.Site) {
		largest := func(a, b *Node) *Node { return ReduceAllMax(Abs(Sub(a, b))) }
		byBlocks, lse := site.WeighByBlocks(), attention.RowsLSE(site)
		site.Emit("output", largest(byBlocks, site.Weigh(site.Probs())))
		site.Emit("lse", largest(lse, Squeeze(logSumExp(site.Scores()), -1)))
	}})
	for what, x := range out {
		if d := tensors.ToScalar[float32](x); !(d < 4e-6) {
			t.Errorf("%s differs by %g", what, d)
		}
	}
	if len(out) != 2*testLayers {
		t.Errorf("%d values, expected two of each layer", len(out))
	}
}

// masks returns a Spec's mask in a layer, [head][query][key].
func masks(t *testing.T, m *model.Model, p []int, s emulate.Spec, layer int) [][][]bool {
	t.Helper()
	s.Schedule = emulate.ScheduleConstant // the mask does not depend on the gain, and with a gain of 1 there is no change
	out := emitted(t, m, p, probe{what: fmt.Sprint("mask ", layer), spec: s, emit: func(c *attention.Plan) {
		if c.Site().Index == layer {
			c.Site().Emit("mask", ConvertDType(c.Whole(), dtypes.Int32))
		}
	}})
	flat := tensors.MustCopyFlatData[int32](out[fmt.Sprint("mask ", layer)])
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
	s := emulate.Spec{Alpha: 1, Tau: 0.03, ExcludePositions: []int{4}}
	want := masks(t, m, p, s, 1)
	random, local := masks(t, m, p, emulate.Random(s, 5), 1), masks(t, m, p, emulate.Local(s), 1)
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
	for name, other := range map[string][][][]bool{"layer": masks(t, m, p, emulate.Random(s, 5), 2), "seed": masks(t, m, p, emulate.Random(s, 6), 1)} {
		if slices.EqualFunc(random[0], other[0], slices.Equal) {
			t.Errorf("the random mask is the same for another %s", name)
		}
	}
}

// byHash draws a row's mask on the host.
func byHash(seed uint32, layer, head, query, n int, eligible []int, keys int) []bool {
	priority := func(j int) uint32 {
		h := attention.MixHost(attention.MixHost(attention.MixHost(attention.MixHost(attention.MixHost(seed)+uint32(layer))+uint32(head))+uint32(query)) + uint32(j))
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
	for _, s := range []emulate.Spec{{Alpha: 1, Tau: 0.05}, {Alpha: 1, Tau: 0.05, Diagonal: true}, {Alpha: 1, Tau: 0.05, Source: []int{0, 1}}, {Alpha: 1, Tau: 0.05, Pairing: emulate.PairMean}, {Alpha: 1, Tau: 0.05, Pairing: emulate.PairBest}} {
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
