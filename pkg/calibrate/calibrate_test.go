package calibrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/attune-lab/attune/pkg/calibrate"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/store"
)

// random is a small model with random weights, whose passes take a millisecond: 4 layers of 5 heads.
func random() (*engine.Runner, error) {
	tok, err := tokenizer.Load("../../testdata/attune-tiny")
	if err != nil {
		return nil, err
	}
	m, err := model.New(&model.Config{ModelType: "llama", VocabSize: tok.VocabSize(), HiddenSize: 20, IntermediateSize: 24, Layers: 4, Heads: heads, KVHeads: 5, HeadDim: 4,
		MaxPositions: 512, NormEps: 1e-5, RopeTheta: 10000, InitializerRange: 0.5}, tok, 5, model.Options{})
	if err != nil {
		return nil, err
	}
	return engine.New(m, engine.Options{}), nil
}

const heads = 5

var shared = sync.OnceValues(random)

func task(t testing.TB, n int) *eval.Task {
	t.Helper()
	got, err := eval.LoadTask("generated:easy", 0, eval.TaskOptions{Corpus: generate.Options{HeldOut: n}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// small are options under which few heads are tried.
func small(by calibrate.Criterion) calibrate.Options {
	return calibrate.Options{Method: calibrate.ZeroTuning, By: by, Heads: 2, Layers: []int{1, 3}, Draws: 2, Seed: 1, Eval: eval.Options{Runner: shared, Groups: eval.GroupsNone}}
}

// watched answers by log-likelihood and tells which examples it was asked.
type watched struct {
	eval.Choices
	asked func(e eval.Example, under model.Experiment) error
}

func (w watched) Name() string          { return "watched" }
func (w watched) JSON() json.RawMessage { return json.RawMessage(`"watched"`) }

func (w watched) Run(ctx context.Context, r *engine.Runner, e model.Experiment, xs []eval.Example, each func(int, eval.Outcome) error) error {
	for _, x := range xs {
		if err := w.asked(x, e); err != nil {
			return err
		}
	}
	return w.Choices.Run(ctx, r, e, xs, each)
}

// TestTheTestingPartIsNotReadWhileChoosing poisons the testing part in every way that could leak: its keys are wrong, its prompts are others, and asking it before
// the choice is an error. The choice and every response stay the same, bit for bit; with the choosing part poisoned they do not.
func TestTheTestingPartIsNotReadWhileChoosing(t *testing.T) {
	for _, by := range []calibrate.Criterion{calibrate.Score, calibrate.Entropy} {
		clean := task(t, 16)
		o := small(by)
		choosing, testing, err := calibrate.Split(clean, 50, o.Seed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := calibrate.Run(context.Background(), clean, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(want.Chosen) == 0 || want.Choosing != len(choosing.Examples) || want.Testing != len(testing.Examples) {
			t.Fatalf("chosen %v on %d examples, to be tested on %d", want.Chosen, want.Choosing, want.Testing)
		}

		poisoned := *clean
		poisoned.Examples = slices.Clone(clean.Examples)
		held := map[string]bool{}
		for i, e := range poisoned.Examples {
			if slices.ContainsFunc(testing.Examples, func(x eval.Example) bool { return x.ID == e.ID }) {
				held[e.ID] = true
				poisoned.Examples[i].Answer = (e.Answer + 1) % len(e.Choices)
			}
		}
		touched := errors.New("the testing part was asked under a head that is tried alone")
		arms := 2*heads*2 + 1 // candidates times gains, and the untouched model
		tried := 0
		o.Answer = watched{asked: func(e eval.Example, _ model.Experiment) error {
			if !held[e.ID] {
				tried++
				return nil
			}
			if tried < arms*len(choosing.Examples) {
				return touched
			}
			return nil
		}}
		got, err := calibrate.Run(context.Background(), &poisoned, o)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Profiles, want.Profiles) || !reflect.DeepEqual(got.Chosen, want.Chosen) || got.Untouched != want.Untouched || got.Gain != want.Gain {
			t.Errorf("%s: with a poisoned testing part %v are chosen, without %v", by, got.Chosen, want.Chosen)
		}
		a, _ := want.Test.Row(eval.Acc, eval.GroupAll, calibrate.Untouched)
		b, _ := got.Test.Row(eval.Acc, eval.GroupAll, calibrate.Untouched)
		if a.Accuracy == b.Accuracy {
			t.Errorf("%s: accuracy %.2f with wrong keys and with right ones: the poison does nothing", by, a.Accuracy)
		}

		// Keys of the choosing part matter to the supervised criterion, and to the unsupervised one they do not.
		for i, e := range poisoned.Examples {
			poisoned.Examples[i].Answer = (clean.Examples[i].Answer + 1) % len(e.Choices)
		}
		o.Answer = nil
		other, err := calibrate.Run(context.Background(), &poisoned, o)
		if err != nil {
			t.Fatal(err)
		}
		if same := reflect.DeepEqual(other.Profiles[0].Responses[0].Mean, want.Profiles[0].Responses[0].Mean); same != (by == calibrate.Entropy) {
			t.Errorf("%s: with wrong keys in the choosing part the first response is the same: %t", by, same)
		}
	}
}

// TestResponsesAreOfTheHeadAlone: a response is the mean change of log p of the right choice, or of the entropy, when one head is changed, computed here by hand.
func TestResponsesAreOfTheHeadAlone(t *testing.T) {
	part := task(t, 6)
	answers, err := eval.Answers(context.Background(), part, []eval.Arm{{Name: "untouched"}, {Name: "one", Plan: emulate.Plan{emulate.ZeroTuning(1.5, [2]int{3, 4})}}}, eval.Options{Runner: shared})
	if err != nil {
		t.Fatal(err)
	}
	var score, entropy float64
	for i, e := range part.Examples {
		var h, right [2]float64
		for a := range answers {
			sum := 0.0
			for _, x := range answers[a][i].Scores {
				sum += math.Exp(x)
			}
			for k, x := range answers[a][i].Scores {
				p := math.Exp(x) / sum
				h[a] -= p * math.Log(p)
				if k == e.Answer {
					right[a] = math.Log(p)
				}
			}
		}
		score += (right[1] - right[0]) / float64(len(part.Examples))
		entropy += (h[0] - h[1]) / float64(len(part.Examples))
	}
	for by, want := range map[calibrate.Criterion]float64{calibrate.Score: score, calibrate.Entropy: entropy} {
		o := small(by)
		o.Layers = []int{3}
		profiles, _, err := calibrate.Respond(context.Background(), part, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(profiles) != 2 || profiles[0].Gain != 1.5 || math.Abs(profiles[1].Gain-1/1.5) > 1e-12 || len(profiles[0].Responses) != heads {
			t.Fatalf("%s: profiles %+v", by, profiles)
		}
		r := profiles[0].Responses[4]
		if r.Head != (calibrate.Head{Layer: 3, Head: 4}) || math.Abs(r.Mean-want) > 1e-6 || math.Abs(want) < 1e-7 || r.StandardError <= 0 {
			t.Errorf("%s: response %+v, expected %g", by, r, want)
		}
	}
}

// TestHeadsShareGraphs: trying all heads of two layers builds as many graphs as trying those of one.
func TestHeadsShareGraphs(t *testing.T) {
	part := task(t, 4)
	count := func(layers ...int) int {
		r, err := random()
		if err != nil {
			t.Fatal(err)
		}
		o := small(calibrate.Score)
		o.Layers, o.Eval.Runner = layers, func() (*engine.Runner, error) { return r, nil }
		if _, _, err := calibrate.Respond(context.Background(), part, o); err != nil {
			t.Fatal(err)
		}
		return r.Model().Compilations()
	}
	one, three := count(2), count(0, 2, 3)
	if one != three || one == 0 {
		t.Errorf("%d graphs for the heads of one layer, %d for those of three", one, three)
	}
	t.Logf("%d graphs", three)
}

// TestChosenHeadsAreTestedAgainstRandomOnes: the control is of equal size, shares no head with the choice and is the same for the same seed.
func TestChosenHeadsAreTestedAgainstRandomOnes(t *testing.T) {
	s := store.Fresh()
	defer s.Close()
	r, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	o := small(calibrate.Score)
	o.Eval.Store, o.Eval.Job = s, store.Job{Code: "c", Model: r.Model().Hash, Numerics: "n"}
	c, err := calibrate.Run(context.Background(), task(t, 16), o)
	if err != nil {
		t.Fatal(err)
	}
	row, ok := c.Test.Row(eval.Acc, eval.GroupAll, calibrate.Chosen)
	if !ok || row.Versus == nil || len(row.Controls) != 1 || row.Controls[0].Baseline != calibrate.Random || row.N != c.Testing || c.Test.Family != 3 {
		t.Fatalf("the test has row %+v in a family of %d", row, c.Test.Family)
	}
	if len(c.Chosen) != 2 || c.Chosen[0].Mean < c.Chosen[1].Mean || c.Chosen[1].Mean <= 0 {
		t.Errorf("chosen %+v", c.Chosen)
	}
	if len(c.Spread) != 2 || c.Spread[0].Name != "random heads 2" || c.Spread[1].Name != calibrate.All {
		t.Errorf("spread %+v", c.Spread)
	}
	for _, pair := range c.Spread[0].Spec.LayerHeads {
		if slices.Contains(c.Spec().LayerHeads, pair) {
			t.Errorf("the random heads %v share one with the chosen %v", c.Spread[0].Spec.LayerHeads, c.Spec().LayerHeads)
		}
	}
	if text := c.Finding(eval.Acc); !strings.Contains(text, "against the untouched model") || !strings.Contains(text, "against as many random heads") || !strings.Contains(text, "zero-tuning") {
		t.Errorf("the finding is %q", text)
	}
	if text := c.Finding(eval.Acc); strings.Count(text, "not shown against") != strings.Count(text, "comparisons together") {
		t.Errorf("what is not shown has not its family's interval: %s", text)
	}
	again, err := calibrate.Run(context.Background(), task(t, 16), o)
	if err != nil || !reflect.DeepEqual(again.Spread, c.Spread) || !reflect.DeepEqual(again.Chosen, c.Chosen) || again.Compilations != 0 {
		t.Errorf("again: error %v, %d graphs, chosen %v, then %v", err, again.Compilations, again.Chosen, c.Chosen)
	}
}

// TestPartsShareNoContent: neither passages nor equal questions straddle, whatever the order of their options, and the parts do not depend on the order of examples.
func TestPartsShareNoContent(t *testing.T) {
	all := task(t, 40)
	for i := range all.Examples {
		if i%4 == 0 && i+1 < len(all.Examples) {
			all.Examples[i].Cluster, all.Examples[i+1].Cluster = "passage", "passage"
		}
	}
	twin := all.Examples[2]
	options := slices.Clone(twin.Options)
	slices.Reverse(options)
	for k, option := range options {
		twin.Prompt = strings.Replace(twin.Prompt, string(rune('A'+k))+". "+twin.Options[k], string(rune('A'+k))+". #"+option, 1)
	}
	twin.ID, twin.Prompt, twin.Options = "twin", strings.ReplaceAll(twin.Prompt, "#", ""), options
	all.Examples = append(all.Examples, twin)
	side := func(task *eval.Task, id string) string {
		a, b, err := calibrate.Split(task, 50, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Examples)+len(b.Examples) != len(task.Examples) || len(a.Examples) < 8 || len(b.Examples) < 8 {
			t.Fatalf("parts of %d and %d", len(a.Examples), len(b.Examples))
		}
		for _, e := range a.Examples {
			if e.ID == id {
				return "choosing"
			}
		}
		return "testing"
	}
	if a, b := side(all, "twin"), side(all, all.Examples[2].ID); a != b {
		t.Errorf("a question is in the %s part, its twin with other order of options in the %s one", b, a)
	}
	passage := side(all, all.Examples[0].ID)
	for i, e := range all.Examples {
		if e.Cluster == "passage" && side(all, e.ID) != passage {
			t.Errorf("example %d of the passage is in the other part", i)
		}
	}
	reversed := *all
	reversed.Examples = slices.Clone(all.Examples)
	slices.Reverse(reversed.Examples)
	for _, e := range all.Examples {
		if side(all, e.ID) != side(&reversed, e.ID) {
			t.Errorf("%s changes sides with the order of examples", e.ID)
		}
	}
}

// TestPASTASteersToHighlights, and needs them.
func TestPASTASteersToHighlights(t *testing.T) {
	part := task(t, 6)
	o := small(calibrate.Score)
	o.Method, o.Layers = calibrate.PASTA, []int{2}
	means := func() (out []float64) {
		profiles, _, err := calibrate.Respond(context.Background(), part, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range profiles[0].Responses {
			out = append(out, r.Mean)
		}
		return out
	}
	if _, _, err := calibrate.Respond(context.Background(), part, o); err == nil || !strings.Contains(err.Error(), "highlight") {
		t.Errorf("without highlights: %v", err)
	}
	part = highlighted(t, part, calibrate.Question)
	question := means()
	part = highlighted(t, part, calibrate.Choices)
	if slices.Equal(means(), question) {
		t.Error("two highlights steer alike")
	}
}

func TestWhatCannotBeCalibratedIsSaid(t *testing.T) {
	all := task(t, 8)
	for want, change := range map[string]func(*calibrate.Options){
		`method is named "acts"`:   func(o *calibrate.Options) { o.Method = "acts" },
		`criterion is named "acc"`: func(o *calibrate.Options) { o.By = "acc" },
		"a gain of 1,":             func(o *calibrate.Options) { o.Gain = 1 },
		"expected less than 1":     func(o *calibrate.Options) { o.Method, o.Gain = calibrate.ACT, 2 },
		"layer 9, the model has":   func(o *calibrate.Options) { o.Layers = []int{9} },
		"11 heads are to be":       func(o *calibrate.Options) { o.Heads = 11 },
		"100 % of the examples":    func(o *calibrate.Options) { o.Percent = 100 },
		"Runner is nil":            func(o *calibrate.Options) { o.Eval.Runner = nil },
	} {
		o := small(calibrate.Score)
		change(&o)
		if _, err := calibrate.Run(context.Background(), all, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
	one := *all
	one.Examples = all.Examples[:1]
	if _, err := calibrate.Run(context.Background(), &one, small(calibrate.Score)); err == nil || !strings.Contains(err.Error(), "use more examples") {
		t.Errorf("one example: %v", err)
	}
}

func highlighted(t *testing.T, task *eval.Task, part string) *eval.Task {
	t.Helper()
	got, err := calibrate.Highlight(task, part)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestHighlightsAreOfTheLastQuestion: worked examples, options and the cue are told from it.
func TestHighlightsAreOfTheLastQuestion(t *testing.T) {
	letters := eval.Example{ID: "letters", Prompt: "Question: first?\nOptions:\nA. x\nB. y\nResponse: A\n\nQuestion: second?\nOptions:\nA. x\nB. y\nResponse:", Choices: []string{" A", " B"}, Options: []string{"x", "y"}}
	texts := eval.Example{ID: "texts", Prompt: "Q: It rains. What now?\nA:", Choices: []string{" run", " stay"}, Options: []string{"run", "stay"}}
	for _, c := range []struct {
		part string
		e    eval.Example
		want string
	}{
		{calibrate.Question, letters, "Question: second?"}, {calibrate.Choices, letters, "A. x\nB. y"}, {calibrate.Question, texts, "Q: It rains. What now?"},
	} {
		got := highlighted(t, &eval.Task{Examples: []eval.Example{c.e}}, c.part)
		if got.Examples[0].Highlight != c.want {
			t.Errorf("%s of %s is %q, expected %q", c.part, c.e.ID, got.Examples[0].Highlight, c.want)
		}
	}
	for part, want := range map[string]string{calibrate.Choices: "do not stand in its prompt", "cue": "no part of a prompt"} {
		if _, err := calibrate.Highlight(&eval.Task{Examples: []eval.Example{texts}}, part); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, expected one with %q", part, err, want)
		}
	}
}
