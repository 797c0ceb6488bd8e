package apply_test

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/model"
)

// variant is a Spec with what the tests below know about it.
type variant struct {
	name string
	spec emulate.Spec
}

// variants are one Spec for every way to find a mask, to exclude from it, to schedule the gain and to renormalise.
func variants() []variant {
	s := func(change func(*emulate.Spec)) emulate.Spec {
		s := emulate.Spec{Alpha: 0.8, Tau: 0.04}
		change(&s)
		return s
	}
	return []variant{
		{"released", emulate.Released()},
		{"literal", emulate.Literal()},
		{"first-release", emulate.FirstRelease()},
		{"row", s(func(s *emulate.Spec) { s.Renormalise = emulate.RenormaliseRow })},
		{"keep-diagonal", s(func(s *emulate.Spec) { s.Renormalise = emulate.RenormaliseKeepDiagonal })},
		{"rest", s(func(s *emulate.Spec) { s.Alpha, s.Renormalise = -0.5, emulate.RenormaliseRest })},
		{"diagonal", s(func(s *emulate.Spec) { s.Diagonal = true })},
		{"per key", s(func(s *emulate.Spec) { s.Tau, s.PerKey = 0, 1.5 })},
		{"top k", s(func(s *emulate.Spec) { s.Tau, s.TopK = 0, 3 })},
		{"quantile", s(func(s *emulate.Spec) { s.Tau, s.Quantile = 0, 0.75 })},
		{"mean of layers", s(func(s *emulate.Spec) { s.Source = []int{0, 1} })},
		{"source 1", s(func(s *emulate.Spec) { s.Source = []int{1} })},
		{"mean of heads", s(func(s *emulate.Spec) { s.Pairing = emulate.PairMean })},
		{"best head", s(func(s *emulate.Spec) { s.Pairing = emulate.PairBest })},
		{"without positions", s(func(s *emulate.Spec) { s.ExcludePositions = []int{0, 3} })},
		{"without tokens", s(func(s *emulate.Spec) { s.ExcludeTokens = []int{1, 22, 40, 41, 42, 43, 44, 45, 46, 47, 48} })},
		{"constant", s(func(s *emulate.Spec) { s.Schedule = emulate.ScheduleConstant })},
		{"gains", s(func(s *emulate.Spec) { s.Alpha, s.Gains = 0, []float64{1, 1.5, 0.5, 2} })},
		{"layers and heads", s(func(s *emulate.Spec) { s.Layers, s.Heads = []int{1, 2}, []int{1, 3} })},
		{"layer heads", s(func(s *emulate.Spec) { s.LayerHeads = [][2]int{{1, 2}, {2, 0}} })},
		{"uniform", emulate.Uniform(s(func(*emulate.Spec) {}))},
		{"random", emulate.Random(s(func(*emulate.Spec) {}), 7)},
		{"random without tokens", emulate.Random(s(func(s *emulate.Spec) { s.ExcludeTokens = []int{1, 22, 40} }), 7)},
		{"local", emulate.Local(s(func(*emulate.Spec) {}))},
		{"suppress", emulate.Suppress(0.2)},
		{"keys of tokens", emulate.Spec{Alpha: 1, Schedule: emulate.ScheduleConstant, Mask: emulate.MaskKeys, Tokens: []int{1, 22, 40}}},
		{"zero-tuning", emulate.ZeroTuning(1.7)},
		{"pasta", emulate.PASTA([][2]int{{2, 5}, {9, 11}}, [][2]int{{1, 0}, {1, 3}, {2, 2}})},
	}
}

// prefillOnly are those that decoding has not.
func prefillOnly() []variant {
	running := emulate.ACT()
	running.Mask = emulate.MaskRunningSinks
	return []variant{{"act", emulate.ACT()}, {"running act", running}}
}

// reference computes one layer's edited attention in float64 from plain maps, [head][query][key], by the formulas of the documentation: no graph, no
// code of the package but Spec's fields. The random mask, which is defined by its hash, is checked elsewhere.
func reference(s emulate.Spec, plain [][][][]float64, layer int, tokens []int) [][][]float64 {
	gain := s.Gain(layer, len(plain))
	own := plain[layer]
	n := len(tokens)
	out := make([][][]float64, len(own))
	for h := range own {
		out[h] = make([][]float64, n)
		touched := len(s.Heads)+len(s.LayerHeads) == 0 || slices.Contains(s.Heads, h) || slices.Contains(s.LayerHeads, [2]int{layer, h})
		for i := range n {
			row := slices.Clone(own[h][i])
			if touched && gain != 1 {
				editRow(s, plain, row, layer, h, i, tokens, gain)
			}
			out[h][i] = row
		}
	}
	return out
}

func editRow(s emulate.Spec, plain [][][][]float64, row []float64, layer, h, i int, tokens []int, gain float64) {
	mask := maskRow(s, plain, layer, h, i, tokens)
	inside, outside, offDiagonal, changed := 0.0, 0.0, 0.0, 0.0
	for j := 0; j <= i; j++ {
		g := 1.0
		if mask[j] {
			inside += row[j]
			g = gain
		} else {
			outside += row[j]
		}
		if j != i {
			offDiagonal += row[j]
			changed += row[j] * g
		}
	}
	for j := 0; j <= i; j++ {
		g := 1.0
		if mask[j] {
			g = gain
		}
		switch {
		case s.Mask == emulate.MaskUniform:
			row[j] *= 1 + (gain-1)*inside
		case s.Renormalise == emulate.RenormaliseNone:
			row[j] *= g
		case s.Renormalise == emulate.RenormaliseRow:
			row[j] *= g / (inside*gain + outside)
		case s.Renormalise == emulate.RenormaliseKeepDiagonal && j != i && changed > 0:
			row[j] *= g * offDiagonal / changed
		case s.Renormalise == emulate.RenormaliseRest && outside > 0 && mask[j]:
			row[j] *= gain
		case s.Renormalise == emulate.RenormaliseRest && outside > 0:
			row[j] *= (1 - gain*inside) / outside
		}
	}
}

// maskRow is the mask of one row, [key].
func maskRow(s emulate.Spec, plain [][][][]float64, layer, h, i int, tokens []int) []bool {
	mask := make([]bool, i+1)
	free := func(j int) bool {
		return (s.Diagonal || j != i) && !slices.Contains(s.ExcludePositions, j) && !slices.Contains(s.ExcludeTokens, tokens[j])
	}
	named := func(j int) bool {
		return slices.Contains(s.Positions, j) || slices.Contains(s.Tokens, tokens[j]) ||
			slices.ContainsFunc(s.Spans, func(span [2]int) bool { return span[0] <= j && j < span[1] })
	}
	if s.Mask != emulate.MaskThreshold && s.Mask != emulate.MaskUniform && s.Mask != emulate.MaskLocal {
		for j := range mask {
			switch s.Mask {
			case emulate.MaskAll:
				mask[j] = true
			case emulate.MaskKeys:
				mask[j] = free(j) && named(j)
			case emulate.MaskOutside:
				mask[j] = free(j) && !named(j)
			case emulate.MaskSinks, emulate.MaskRunningSinks:
				end := len(tokens)
				if s.Mask == emulate.MaskRunningSinks {
					end = i + 1
				}
				sum := 0.0
				for q := j; q < end; q++ {
					sum += plain[layer][h][q][j]
				}
				mask[j] = free(j) && sum/float64(end-j) > s.Tau
			}
		}
		if first := slices.Index(mask, true); s.KeepFirst && first >= 0 {
			mask[first] = false
		}
		return mask
	}
	source := sourceRow(s, plain, layer, h, i)
	var free_ []int
	for j := range mask {
		if free(j) {
			free_ = append(free_, j)
		}
	}
	byWeight := slices.Clone(free_)
	slices.SortFunc(byWeight, func(a, b int) int { return cmp.Compare(source[b], source[a]) })
	for at, j := range byWeight {
		switch {
		case s.TopK > 0:
			mask[j] = at < s.TopK
		case s.Quantile > 0:
			mask[j] = at < int(math.Ceil(float64(len(byWeight))*(1-s.Quantile)))
		case s.PerKey > 0:
			mask[j] = source[j] > s.PerKey/float64(i+1)
		default:
			mask[j] = source[j] > s.Tau
		}
	}
	if s.Mask == emulate.MaskLocal {
		n := 0
		for _, m := range mask {
			if m {
				n++
			}
		}
		clear(mask)
		for _, j := range free_[len(free_)-n:] {
			mask[j] = true
		}
	}
	return mask
}

// sourceRow is the row that is emulated.
func sourceRow(s emulate.Spec, plain [][][][]float64, layer, h, i int) []float64 {
	sources := s.Source
	if len(sources) == 0 {
		sources = []int{0}
	}
	rows := make([][]float64, heads)
	for k := range rows {
		rows[k] = make([]float64, i+1)
		for j := range rows[k] {
			for _, l := range sources {
				rows[k][j] += plain[l][k][i][j] / float64(len(sources))
			}
		}
	}
	switch s.Pairing {
	case emulate.PairMean:
		mean := make([]float64, i+1)
		for j := range mean {
			for k := range rows {
				mean[j] += rows[k][j] / heads
			}
		}
		return mean
	case emulate.PairBest:
		best, bestCosine := 0, -1.0
		for k := range rows {
			dot, norm := 0.0, 0.0
			for j, x := range rows[k] {
				dot += x * plain[layer][h][i][j]
				norm += x * x
			}
			if cosine := dot / math.Sqrt(norm); cosine > bestCosine+1e-6 { // the first of equals, as rows of one key are
				best, bestCosine = k, cosine
			}
		}
		return rows[best]
	}
	return rows[h]
}

// TestFirstChangedLayerIsAsTheFormulaSays compares, entry by entry, the first layer that a Spec changes, whose input no intervention has touched,
// with a computation of the formulas in float64; and the layers before it with the plain model's, bit for bit.
func TestFirstChangedLayerIsAsTheFormulaSays(t *testing.T) {
	m := tinyModel(t)
	p := prompt(2, 40)
	plain := maps(t, m, p, nil)
	for _, v := range append(variants(), prefillOnly()...) {
		if v.spec.Mask == emulate.MaskRandom {
			continue
		}
		changed := maps(t, m, p, experiment(t, v.spec))
		first := slices.IndexFunc([]int{0, 1, 2, 3}, func(l int) bool { return v.spec.Gain(l, layers) != 1 })
		for l := range first {
			if d := rowDifference(plain[l], changed[l]); d != 0 {
				t.Errorf("%s: layer %d, before the first changed one, differs by %g", v.name, l, d)
			}
		}
		want := reference(v.spec, plain, first, p)
		if d := rowDifference(want, changed[first]); d > 2e-6 {
			t.Errorf("%s: layer %d differs from the formula by %g", v.name, first, d)
		}
		if rowDifference(plain[first], changed[first]) < 1e-3 {
			t.Errorf("%s: layer %d is as without the intervention: the test says nothing", v.name, first)
		}
	}
}

// TestSumsOfRows: renormalised rows sum to one, and rows under the uniform control to what they sum to under the Spec that it controls for.
func TestSumsOfRows(t *testing.T) {
	m := tinyModel(t)
	p := prompt(3, 30)
	sum := func(row []float64) float64 {
		total := 0.0
		for _, x := range row {
			total += x
		}
		return total
	}
	for _, v := range append(variants(), prefillOnly()...) {
		if v.spec.Renormalise == emulate.RenormaliseNone {
			continue
		}
		for l, a := range maps(t, m, p, experiment(t, v.spec)) {
			for h := range a {
				for i, row := range a[h] {
					if math.Abs(sum(row)-1) > 2e-6 {
						t.Fatalf("%s: layer %d, head %d, query %d: the row sums to %g, expected 1", v.name, l, h, i, sum(row))
					}
				}
			}
		}
	}
	s := emulate.Spec{Alpha: 1, Tau: 0.04}
	a, b := maps(t, m, p, experiment(t, s)), maps(t, m, p, experiment(t, emulate.Uniform(s)))
	for h := range heads {
		for i := range p {
			if x, y := sum(a[1][h][i]), sum(b[1][h][i]); math.Abs(x-y) > 1e-5 {
				t.Fatalf("head %d, query %d: the row sums to %g, under the uniform control to %g", h, i, x, y)
			}
		}
	}
}

// TestDecodeEqualsRecomputationForEveryVariant continues prompts of several lengths greedily and compares each token with what whole passes over
// the growing sequence choose.
func TestDecodeEqualsRecomputationForEveryVariant(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{prompt(1, 5), prompt(2, 19), prompt(3, 11)}
	const steps = 12
	plain := continued(t, m, prompts, steps, nil)
	same := 0
	all := variants()
	for _, v := range prefillOnly() {
		if v.spec.Mask == emulate.MaskSinks { // of a running mean a cache knows nothing
			all = append(all, v)
		}
	}
	for _, v := range all {
		e := experiment(t, v.spec)
		got := continued(t, m, prompts, steps, e)
		for b, p := range prompts {
			if want := recomputed(t, m, p, steps, e); !slices.Equal(got[b], want) {
				t.Errorf("%s, prompt %d: decoding gives %v, recomputation %v", v.name, b, got[b], want)
			}
			if slices.Equal(got[b], plain[b]) {
				same++
			}
		}
	}
	if same > len(all)*len(prompts)/2 {
		t.Errorf("%d of %d continuations are those of the plain model: the test says little", same, len(all)*len(prompts))
	}
}

func continued(t *testing.T, m *model.Model, prompts [][]int, steps int, e model.Experiment) [][]int {
	t.Helper()
	g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: steps, IgnoreEOS: true, Chunk: 5}, e)
	if err != nil {
		t.Fatal(err)
	}
	return g.Tokens
}

func recomputed(t *testing.T, m *model.Model, p []int, steps int, e model.Experiment) []int {
	t.Helper()
	seq := slices.Clone(p)
	for range steps {
		r, err := m.Forward(model.Batch{Tokens: [][]int{seq}, Extents: []model.Extent{{Prompt: len(p)}}}, model.Outputs{Logits: true}, e)
		if err != nil {
			t.Fatal(err)
		}
		l := tensors.MustCopyFlatData[float32](r.Logits)
		l = l[(len(seq)-1)*vocab : len(seq)*vocab] // the pass may be padded
		best := 0
		for i, x := range l {
			if x > l[best] {
				best = i
			}
		}
		seq = append(seq, best)
	}
	return seq[len(p):]
}

// TestPaddingChangesNothing: a prompt's last logits are the same alone and beside a longer one.
func TestPaddingChangesNothing(t *testing.T) {
	m := tinyModel(t)
	short, long := prompt(4, 13), prompt(5, 29)
	for _, v := range append(variants(), prefillOnly()...) {
		e := experiment(t, v.spec)
		alone := logits(t, m, [][]int{short}, e)
		beside := logits(t, m, [][]int{short, long}, e)
		for i := range len(short) * vocab {
			if math.Abs(float64(alone[i]-beside[i])) > 1e-4 {
				t.Errorf("%s: logit %d of a prompt is %g alone and %g beside a longer one", v.name, i, alone[i], beside[i])
				break
			}
		}
	}
}

// TestNoFutureIsSeen: a token's logits do not depend on later tokens, except under the published ACT, whose sinks do.
func TestNoFutureIsSeen(t *testing.T) {
	m := tinyModel(t)
	p := prompt(6, 24)
	changed := slices.Clone(p)
	for i := 16; i < len(p); i++ {
		changed[i] = (p[i]+31)%(vocab-3) + 3
	}
	for _, v := range append(variants(), prefillOnly()...) {
		e := experiment(t, v.spec)
		a, b := logits(t, m, [][]int{p}, e)[:16*vocab], logits(t, m, [][]int{changed}, e)[:16*vocab]
		if same := slices.Equal(a, b); same == (v.spec.Mask == emulate.MaskSinks) {
			t.Errorf("%s: logits before the changed tokens are the same: %t", v.name, same)
		}
	}
}

func TestEveryVariantRoundTrips(t *testing.T) {
	seen := map[string]string{}
	for _, v := range append(variants(), prefillOnly()...) {
		back, err := emulate.Parse(v.spec.JSON())
		if err != nil || !reflect.DeepEqual(back, v.spec) {
			t.Errorf("%s: %s parses to %+v, %v", v.name, v.spec.JSON(), back, err)
		}
		for what, id := range map[string]string{"hash": v.spec.Hash(), "line": v.spec.String()} {
			if other, taken := seen[id]; taken {
				t.Errorf("%s and %s have the same %s %q", v.name, other, what, id)
			}
			seen[id] = v.name
		}
	}
}
