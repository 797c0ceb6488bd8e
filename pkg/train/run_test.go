package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/train"
)

// counting documents count upwards modulo 30 from a start that varies: the next token follows from the last.
func counting(n int) train.Memory {
	docs := make(train.Memory, n)
	for i := range docs {
		docs[i].Tokens = []int32{1}
		for k := range 6 + i%11 {
			docs[i].Tokens = append(docs[i].Tokens, int32(5+(i*7+k)%30))
		}
	}
	return docs
}

func newFeed(t testing.TB, docs train.Memory, rows int) *train.Feed {
	t.Helper()
	f, err := train.NewFeed(docs, train.FeedOptions{Width: 32, Rows: rows, Window: 64, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func logits(t testing.TB, m *model.Model) []float32 {
	t.Helper()
	m.Store() // weights laid out as in a checkpoint: another layout adds up in another order
	r, err := m.Forward(model.Prompts([]int{1, 7, 8, 9}), model.Outputs{Logits: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](r.Logits)
}

// weights are the values of all variables, by name.
func weights(t testing.TB, m *model.Model) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for v := range m.Store().IterVariables() {
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		out[v.Path()] = tensors.MustCopyFlatData[float32](value)
	}
	return out
}

func run(t testing.TB, m *model.Model, feed *train.Feed, o train.Options) *train.Report {
	t.Helper()
	r, err := train.Run(context.Background(), m, feed, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func onGPU() bool { name := os.Getenv(backend.EnvVar); return name != "" && name != backend.Go }

func TestTrainingLearnsAndIsRepeatable(t *testing.T) {
	o := train.Options{Steps: 120, Optimizer: train.AdamW{Schedule: train.Schedule{Peak: 3e-3}}, LogEvery: 20}
	var runs [][]float32
	for range 2 {
		m := newModel(t)
		report := run(t, m, newFeed(t, counting(200), 8), o)
		first, last := report.Rows[1].Loss, report.Rows[len(report.Rows)-1].Loss
		if len(report.Rows) != 7 || !(first > 2) || !(last < 0.8) {
			t.Errorf("the loss goes from %.3f to %.3f in %d rows, expected from above 2 to below 0.8 in 7", first, last, len(report.Rows))
		}
		if n := 120 * 8 * 32; report.Tokens > n || report.Tokens < n*9/10 || report.Rows[6].Tokens != report.Tokens {
			t.Errorf("%d tokens seen in 120 steps of 8 rows of 32 places, filled to nine tenths or more", report.Tokens)
		}
		g, err := m.Generate([][]int{{1, 20, 21, 22}}, model.GenerateOptions{MaxTokens: 5}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{23, 24, 25, 26, 27}; !slices.Equal(g.Tokens[0], want) {
			t.Errorf("the trained model counts 20 21 22 on as %v, expected %v", g.Tokens[0], want)
		}
		dir := t.TempDir()
		if err := m.Save(dir, dtypes.Float32); err != nil {
			t.Fatal(err)
		}
		saved, err := model.Load(dir, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(logits(t, m), logits(t, saved)) {
			t.Error("the saved model has other logits than the trained one")
		}
		runs = append(runs, logits(t, m))
	}
	if onGPU() {
		t.Log("not compared bit for bit: a GPU adds gradients in an order of its own")
	} else if !slices.Equal(runs[0], runs[1]) {
		t.Error("two runs with one seed end with different weights")
	}
}

// TestAccumulationEqualsOneLargerBatch trains on batches of 4 rows and of 2 rows, two per step. The sums are the same numbers added in another order, so weights
// agree to a few roundings of float32, which Adam's division by small second moments enlarges.
func TestAccumulationEqualsOneLargerBatch(t *testing.T) {
	docs := counting(100)
	for i := range docs { // weights that differ, so that a mean of means would be another number
		docs[i].Weights = make([]float32, len(docs[i].Tokens))
		for k := range docs[i].Weights {
			docs[i].Weights[k] = float32((i + k) % 3)
		}
	}
	o := train.Options{Steps: 5, Optimizer: train.AdamW{Eps: 1e-4}}
	whole, parts := newModel(t), newModel(t)
	a := run(t, whole, newFeed(t, docs, 4), o)
	o.Accumulate = 2
	b := run(t, parts, newFeed(t, docs, 2), o)
	for i := range a.Rows {
		if math.Abs(a.Rows[i].Loss-b.Rows[i].Loss) > 1e-5 || math.Abs(a.Rows[i].Norm-b.Rows[i].Norm) > 1e-5 || a.Rows[i].Tokens != b.Rows[i].Tokens {
			t.Errorf("row %d: %+v in one batch, %+v in two", i, a.Rows[i], b.Rows[i])
		}
	}
	got := weights(t, parts)
	for name, want := range weights(t, whole) {
		for k := range want {
			if math.Abs(float64(want[k]-got[name][k])) > 1e-5 {
				t.Fatalf("%s[%d] is %v in one batch, %v in two", name, k, want[k], got[name][k])
			}
		}
	}
}

func TestRecomputingChangesNothing(t *testing.T) {
	o := train.Options{Steps: 4}
	plain, again := newModel(t), newModel(t)
	run(t, plain, newFeed(t, counting(60), 4), o)
	o.Recompute = true
	run(t, again, newFeed(t, counting(60), 4), o)
	got := weights(t, again)
	for name, want := range weights(t, plain) {
		for k := range want {
			if math.Abs(float64(want[k]-got[name][k])) > 1e-6 { // the same operations, perhaps fused otherwise
				t.Fatalf("%s[%d] is %v, recomputed %v", name, k, want[k], got[name][k])
			}
		}
	}
}

func TestOnlyChosenWeightsChange(t *testing.T) {
	m := newModel(t)
	before := weights(t, m)
	run(t, m, newFeed(t, counting(60), 4), train.Options{Steps: 3, Train: func(name string) bool { return strings.Contains(name, "mlp") }})
	for name, now := range weights(t, m) {
		if same := slices.Equal(now, before[name]); same == strings.Contains(name, "mlp") {
			t.Errorf("%s: unchanged is %t", name, same)
		}
	}
	if _, err := train.Run(context.Background(), m, newFeed(t, counting(9), 1), train.Options{Train: func(string) bool { return false }}); err == nil {
		t.Error("training nothing is not refused")
	}
}

func TestProbesAndLog(t *testing.T) {
	dir := t.TempDir()
	var seen []int
	var rows []train.Row
	report := run(t, newModel(t), newFeed(t, counting(60), 4), train.Options{Steps: 10, Dir: dir, LogEvery: 5, OnRow: func(r train.Row) { rows = append(rows, r) }, PeakFLOPs: 1e12, Probes: []train.Probe{
		{Name: "held-out", Every: 4, Run: train.HeldOut(counting(13)[9:], 32, 3, 0)},
		{Name: "own", Every: 5, Run: func(m *model.Model, step int) (map[string]float64, error) {
			seen = append(seen, step)
			return map[string]float64{"step": float64(step)}, nil
		}},
	}})
	var steps []int
	for _, r := range rows {
		steps = append(steps, r.Step)
		if loss, has := r.Values["held-out.loss"]; has != (r.Step%4 == 0 || r.Step == 10) || has && !(loss > 1 && loss < 5) {
			t.Errorf("step %d: held-out loss %v, %t", r.Step, loss, has)
		}
		if r.Step > 0 && !(r.TokensPerSecond > 0 && r.Utilisation > 0 && r.Norm > 0 && r.Rate > 0) {
			t.Errorf("a row lacks a measurement: %+v", r)
		}
		if speed := r.Speed(); (speed == "") != (r.Step == 0) || r.Step > 0 && !strings.HasSuffix(speed, "% of the machine's peak") {
			t.Errorf("step %d: speed %q", r.Step, speed)
		}
	}
	if want := []int{0, 4, 5, 8, 10}; !slices.Equal(steps, want) {
		t.Errorf("rows of steps %v, expected %v", steps, want)
	}
	if want := []int{0, 5, 10}; !slices.Equal(seen, want) {
		t.Errorf("the probe ran at steps %v, expected %v", seen, want)
	}
	if len(report.Rows) != len(rows) {
		t.Errorf("the report has %d rows, %d were told", len(report.Rows), len(rows))
	}
	data, err := os.ReadFile(filepath.Join(dir, "log.jsonl"))
	if err != nil || bytes.Count(data, []byte("\n")) != 5 {
		t.Errorf("the log is\n%s (%v), expected 5 lines", data, err)
	}
	failing := train.Options{Steps: 2, Probes: []train.Probe{{Name: "bad", Run: func(*model.Model, int) (map[string]float64, error) { return nil, errors.New("no") }}}}
	if _, err := train.Run(context.Background(), newModel(t), newFeed(t, counting(9), 1), failing); err == nil || !strings.Contains(err.Error(), `probe "bad" at step 0`) {
		t.Errorf("a failing probe: %v", err)
	}
}

// TestNonFiniteLossStops poisons one document with a weight that overflows the loss.
func TestNonFiniteLossStops(t *testing.T) {
	docs := counting(40)
	docs[17].Weights = slices.Repeat([]float32{3e38}, len(docs[17].Tokens))
	m := newModel(t)
	for _, accumulate := range []int{1, 2} {
		r, err := train.Run(context.Background(), m, newFeed(t, docs, 2), train.Options{Steps: 100, Accumulate: accumulate})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("step %d: ", r.Steps+1)) || !strings.Contains(err.Error(), "learning rate") || !strings.Contains(err.Error(), " 17 ") {
			t.Errorf("after %d steps: %v, expected an error that names the step, the learning rate and document 17", r.Steps, err)
		}
		for name, values := range weights(t, m) {
			for _, x := range values {
				if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
					t.Fatalf("%s holds %v", name, x)
				}
			}
		}
	}
}

// TestFLOPs counts the toy model by hand: per layer q and o 32*32, k and v 16*32, three MLP products 64*32, and the tied head 40*32.
func TestFLOPs(t *testing.T) {
	n := 2*(2*32*32+2*16*32+3*64*32) + 40*32
	attention := 12 * 2 * 4 * 8 * 50
	if got, want := train.FLOPs(newModel(t), 50, true), float64(6*n+attention); got != want {
		t.Errorf("%v operations per token, expected %v", got, want)
	}
	if got, want := train.FLOPs(newModel(t), 50, false), float64(4*n+attention); got != want {
		t.Errorf("%v operations per token beside frozen weights, expected %v", got, want)
	}
}

func TestTrainingRefuses(t *testing.T) {
	if _, err := train.Run(context.Background(), newModel(t), newFeed(t, train.Memory{{Tokens: []int32{1, 40}}}, 1), train.Options{Steps: 1}); err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("an id beyond the vocabulary: %v", err)
	}
	long, err := train.NewFeed(counting(20), train.FeedOptions{Width: 65, Rows: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Run(context.Background(), newModel(t), long, train.Options{Steps: 1}); err == nil || !strings.Contains(err.Error(), "positions") {
		t.Errorf("rows longer than the model's positions: %v", err)
	}
	short, err := train.NewFeed(counting(20), train.FeedOptions{Width: 32, Rows: 2, Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Run(context.Background(), newModel(t), short, train.Options{Steps: 100}); err == nil || !strings.Contains(err.Error(), "epochs") {
		t.Errorf("a feed that ends early: %v", err)
	}
}

func Example() {
	c := &model.Config{ModelType: "llama", VocabSize: 40, HiddenSize: 32, IntermediateSize: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 64, NormEps: 1e-5, RopeTheta: 10000, TieEmbeddings: true, BOS: 1, InitializerRange: 0.02}
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		panic(err)
	}
	feed, err := train.NewFeed(counting(100), train.FeedOptions{Width: 32, Rows: 4})
	if err != nil {
		panic(err)
	}
	report, err := train.Run(context.Background(), m, feed, train.Options{Steps: 20, LogEvery: 1})
	if err != nil {
		panic(err)
	}
	// Before anything is learned every token is equally likely: the loss starts at the logarithm of the vocabulary.
	fmt.Printf("%.1f nats, log 40 = %.1f\n", report.Rows[1].Loss, math.Log(40))
	// Output: 3.7 nats, log 40 = 3.7
}
