package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

func tiny(t testing.TB) *model.Model {
	t.Helper()
	m, err := model.New(&model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 128, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.2}, nil, 7, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func attuneTiny(t testing.TB) *model.Model {
	t.Helper()
	m, err := model.Load(filepath.Join("..", "..", "testdata", "attune-tiny"), model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sequences of lengths from 2 to 70, each with some targets.
func sequences(n int, seed uint64) []Sequence {
	r := rand.New(rand.NewPCG(seed, 0))
	qs := make([]Sequence, n)
	for i := range qs {
		for range 2 + r.IntN(69) {
			qs[i].Tokens = append(qs[i].Tokens, 1+r.IntN(90))
		}
		for range 1 + r.IntN(6) {
			qs[i].Targets = append(qs[i].Targets, model.Target{Position: r.IntN(len(qs[i].Tokens)), Token: r.IntN(97)})
		}
	}
	return qs
}

func score(t testing.TB, r *Runner, qs []Sequence) [][]float64 {
	t.Helper()
	got := make([][]float64, len(qs))
	err := r.Score(context.Background(), qs, nil, func(i int, logProbs []float64) error {
		if got[i] != nil {
			t.Errorf("sequence %d comes twice", i)
		}
		got[i] = slices.Clone(logProbs)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestScoreDoesNotDependOnItsBatch: the same bits alone, in another order and among other sequences.
func TestScoreDoesNotDependOnItsBatch(t *testing.T) {
	for name, m := range map[string]*model.Model{"random": tiny(t), "attune-tiny": attuneTiny(t)} {
		r := New(m, Options{})
		qs := append(sequences(6, 1), trees(6, 1)...)
		want := score(t, r, qs)
		mixed := append(trees(5, 2), qs...)
		slices.Reverse(mixed)
		got := score(t, r, mixed)
		for i := range qs {
			alone := score(t, r, qs[i:i+1])[0]
			if !slices.Equal(alone, want[i]) {
				t.Errorf("%s, sequence %d: alone %v, in a list %v", name, i, alone, want[i])
			}
			if other := got[len(qs)-1-i]; !slices.Equal(other, want[i]) {
				t.Errorf("%s, sequence %d: among others %v, before %v", name, i, other, want[i])
			}
		}
	}
}

// TestScoresAreTheModels: widths, dummy rows and dummy targets change nothing but the order of sums.
func TestScoresAreTheModels(t *testing.T) {
	m := tiny(t)
	r := New(m, Options{})
	r.geometry.MaxRows = 4 // as on processors with XLA
	qs := sequences(20, 3)
	got := score(t, r, qs)
	for i, q := range qs {
		want, err := m.Forward(model.Prompts(q.Tokens), model.Outputs{Targets: model.Targets{q.Targets}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got[i]) != len(q.Targets) {
			t.Fatalf("sequence %d: %d log-probabilities of %d targets", i, len(got[i]), len(q.Targets))
		}
		for k, x := range got[i] {
			if math.Abs(x-want.LogProbs[0][k]) > 1e-4 {
				t.Errorf("sequence %d, target %d: %g, alone %g", i, k, x, want.LogProbs[0][k])
			}
		}
	}
}

func TestCallsSideBySideDoNotMix(t *testing.T) {
	r := New(tiny(t), Options{})
	qs := sequences(15, 4)
	want := score(t, r, qs)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i, row := range score(t, r, qs) {
				if !slices.Equal(row, want[i]) {
					t.Errorf("sequence %d: %v, expected %v", i, row, want[i])
				}
			}
		})
	}
	all.Wait()
}

// TestRowsAreHalvedWhereMemoryEnds gives the same results with fewer rows.
func TestRowsAreHalvedWhereMemoryEnds(t *testing.T) {
	m := tiny(t)
	r := New(m, Options{})
	r.geometry.MaxRows, r.geometry.Step = 8, 128 // one width
	var notes []string
	r.Watch(func(p Progress) {
		if p.Note != "" {
			notes = append(notes, p.Note)
		}
	})
	qs := sequences(11, 5)
	want := score(t, r, qs)
	r.halve(workload{width: 128}, 8)
	r.halve(workload{width: 128}, 4)
	r.halve(workload{width: 128}, 8) // known
	for i, row := range score(t, r, qs) {
		for k := range row {
			if math.Abs(row[k]-want[i][k]) > 1e-4 {
				t.Errorf("sequence %d: %v, expected %v", i, row, want[i])
			}
		}
	}
	if r.limit(workload{width: 128}) != 2 || len(notes) != 2 || !strings.Contains(notes[1], "going on with 2") {
		t.Errorf("limit %d, notes %q", r.limit(workload{width: 128}), notes)
	}
}

func TestErrorsAndCancellingEndTheWork(t *testing.T) {
	r := New(tiny(t), Options{})
	qs := sequences(10, 6)
	stop := errors.New("enough")
	n := 0
	err := r.Score(context.Background(), qs, nil, func(int, []float64) error {
		if n++; n == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 3 {
		t.Errorf("error %v after %d sequences, expected the callback's after 3", err, n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n = 0
	err = r.Score(ctx, qs, nil, func(int, []float64) error {
		if n++; n == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n < 2 || n > 1+r.geometry.Rows(16) { // the batch under way is given to its end
		t.Errorf("error %v after %d sequences, expected the end of the context after 2", err, n)
	}
	if err := r.Score(ctx, qs, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	bad := append(slices.Clone(qs), Sequence{Tokens: []int{1000}, Targets: []model.Target{{}}})
	if err := r.Score(context.Background(), bad, nil, func(int, []float64) error { return nil }); err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("a token outside the vocabulary: %v", err)
	}
	if err := r.Score(context.Background(), nil, nil, nil); err != nil {
		t.Errorf("no sequences: %v", err)
	}
}

func TestProgressCountsEverySequence(t *testing.T) {
	var last Progress
	r := New(tiny(t), Options{Progress: func(p Progress) { last = p }})
	score(t, r, sequences(9, 7))
	if last.Done != 9 || last.Total != 9 || last.Stage != "scoring" || last.String() != "scoring 9 of 9" {
		t.Errorf("progress %+v", last)
	}
}

func TestObserveGivesEveryRow(t *testing.T) {
	m := tiny(t)
	r := New(m, Options{})
	r.geometry.MaxRows = 4
	qs := sequences(6, 8)
	for i := range qs {
		qs[i].Tokens = append(qs[i].Tokens, make([]int, 70)...)[:70] // no multiple of 16
	}
	seen := map[int]bool{}
	err := r.Observe(context.Background(), qs, lengths{}, func(b Batch, got *model.Result) error {
		if b.Width != 70 || b.Rows < len(b.At) || b.Rows >= 2*len(b.At) {
			t.Errorf("%d sequences in a batch of %d x %d", len(b.At), b.Rows, b.Width)
		}
		flat := tensors.MustCopyFlatData[int32](got.Emitted["lengths"][0])
		for row, at := range b.At {
			seen[at] = flat[row] == 70
			if len(got.LogProbs[row]) < len(qs[at].Targets) {
				t.Errorf("row %d has %d targets of %d", row, len(got.LogProbs[row]), len(qs[at].Targets))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 6 || seen[0] != true {
		t.Errorf("observed %v", seen)
	}
}

// lengths emits the lengths of a batch's sequences.
type lengths struct{}

func (lengths) Visit(l attention.Layer) *attention.Visit {
	if l.Index != 0 {
		return nil
	}
	return &attention.Visit{Key: "lengths", Build: func(s *attention.Site) { s.Emit("lengths", graph.Identity(s.Lengths)) }}
}

// TestStreamGivesWhatObserveGives: each batch's observations come before its result, padded as in the whole list.
func TestStreamGivesWhatObserveGives(t *testing.T) {
	r := New(tiny(t), Options{})
	qs := sequences(6, 8)
	var whole []int
	for _, q := range qs {
		whole = append(whole, len(q.Tokens))
	}
	seen := 0
	err := r.Stream(context.Background(), whole, qs[:4], floatLengths{}, func(b Batch) (func(model.Observation) error, func(*model.Result) error) {
		flat := make([]float32, b.Rows)
		receive := func(o model.Observation) error {
			return o.Read(func(values []float32) { copy(flat, values) })
		}
		return receive, func(*model.Result) error {
			for row, at := range b.At {
				seen++
				if want := len(qs[at].Tokens); int(flat[row]) != want {
					t.Errorf("sequence %d has length %g, expected %d", at, flat[row], want)
				}
			}
			return nil
		}
	})
	if err != nil || seen != 4 {
		t.Errorf("%d sequences, error %v; expected 4", seen, err)
	}
}

// floatLengths emits the lengths of a batch's sequences as float32.
type floatLengths struct{}

func (floatLengths) Visit(l attention.Layer) *attention.Visit {
	if l.Index != 0 {
		return nil
	}
	return &attention.Visit{Key: "float lengths", Build: func(s *attention.Site) { s.Emit("lengths", graph.ConvertDType(s.Lengths, dtypes.Float32)) }}
}

func TestGenerationIsTheModels(t *testing.T) {
	m := tiny(t)
	r := New(m, Options{})
	var prompts [][]int
	for _, q := range sequences(20, 9) {
		prompts = append(prompts, q.Tokens[:min(len(q.Tokens), 40)])
	}
	o := model.GenerateOptions{MaxTokens: 8, IgnoreEOS: true}
	got := make([][]int, len(prompts))
	if err := r.Generate(context.Background(), prompts, o, nil, func(i int, text Text) error { got[i] = text.Tokens; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, p := range prompts {
		want, err := m.Generate([][]int{p}, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got[i], want.Tokens[0]) {
			t.Errorf("prompt %d: %v, alone %v", i, got[i], want.Tokens[0])
		}
	}
}

func TestGeometry(t *testing.T) {
	cuda, cpu, plain := Geometry{Budget: 16384, Smallest: 64, Positions: 2000}, Geometry{Budget: 2048, Smallest: 16, MaxRows: 4, Positions: 2000}, Geometry{Budget: 2048, Step: 16, MaxRows: 1, Positions: 2000}
	for _, c := range []struct {
		g             Geometry
		tokens, width int
		rows          int
	}{
		{cuda, 1, 64, 256}, {cuda, 64, 64, 256}, {cuda, 65, 96, 128}, {cuda, 97, 128, 128}, {cuda, 129, 192, 64}, {cuda, 193, 256, 64}, {cuda, 257, 384, 32}, {cuda, 385, 512, 32},
		{cuda, 1025, 1536, 8}, {cuda, 1537, 2000, 8}, {cuda, 2000, 2000, 8}, {cuda, 2001, 2001, 8},
		{cpu, 3, 16, 4}, {cpu, 17, 24, 4}, {cpu, 25, 32, 4}, {cpu, 700, 768, 2}, {cpu, 1999, 2000, 1},
		{plain, 1, 16, 1}, {plain, 17, 32, 1}, {plain, 1999, 2000, 1},
	} {
		if got := c.g.Width(c.tokens); got != c.width {
			t.Errorf("%s: %d tokens take width %d, expected %d", c.g, c.tokens, got, c.width)
		}
		if got := c.g.Rows(c.width); got != c.rows {
			t.Errorf("%s: width %d has %d rows, expected %d", c.g, c.width, got, c.rows)
		}
	}
	var shapes []string
	for _, b := range (Geometry{Budget: 256, Smallest: 64}).Batches([]int{10, 100, 20, 90, 60, 65, 5, 128, 64}) {
		shapes = append(shapes, fmt.Sprintf("%dx%d%v", b.Width, b.Rows, b.At))
	}
	if want := []string{"128x2[7 1]", "96x2[3 5]", "64x4[8 4 2 0]", "64x4[6]"}; !slices.Equal(shapes, want) {
		t.Errorf("batches %q, expected %q", shapes, want)
	}
}
