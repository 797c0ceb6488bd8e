package eval_test

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/chat"
	"github.com/attune-lab/attune/pkg/model"
)

// TestRealModelsLogLikelihoods compares every choice's log-likelihood with transformers' within 5e-3 in float32, and in bfloat16 the choices: at least 98.5 % the same.
// ATTUNE_REAL_MODEL is the directory that ../shared/data/models/smollm2-135m-instruct/convert.py writes, ATTUNE_REAL_ITEMS how many items of each set are asked
// (100; 0 = all); the backend is ATTUNE_BACKEND, the type ATTUNE_DTYPE.
func TestRealModelsLogLikelihoods(t *testing.T) {
	dir := os.Getenv("ATTUNE_REAL_MODEL")
	shared := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(shared); err != nil || dir == "" {
		t.Skip("needs ATTUNE_REAL_MODEL, a directory that smollm2-135m-instruct/convert.py wrote, and the folder shared beside the repository")
	}
	limit := 100
	if text := os.Getenv("ATTUNE_REAL_ITEMS"); text != "" {
		limit, _ = strconv.Atoi(text)
	}
	b, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(dir, model.Options{Backend: b, DTypeName: cmp.Or(os.Getenv("ATTUNE_DTYPE"), "auto")})
	if err != nil {
		t.Fatal(err)
	}
	r := engine.New(m, engine.Options{})
	t.Log(r.Numerics())
	references := readReferences(t, filepath.Join(shared, "models", "smollm2-135m-instruct", "loglikelihoods.json.gz"))
	for _, name := range []string{"piqa", "siqa"} {
		task, err := eval.LoadTask(filepath.Join(shared, name), 0, eval.TaskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		reference := references[name+".float32"]
		if len(reference) != len(task.Examples) {
			t.Fatalf("%s: %d examples, the references are of %d", name, len(task.Examples), len(reference))
		}
		if limit > 0 {
			task.Examples, reference = task.Examples[:min(limit, len(task.Examples))], reference[:min(limit, len(reference))]
		}
		start := time.Now()
		c, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "untouched"}}, eval.Options{Runner: func() (*engine.Runner, error) { return r, nil }})
		if err != nil {
			t.Fatal(err)
		}
		worst, same := 0.0, 0
		for i, e := range c.Examples {
			scores := c.Outcomes[0][i].Scores
			for k := range scores {
				worst = math.Max(worst, math.Abs(scores[k]-reference[i][k]))
			}
			if eval.Predict(eval.Acc, e.Choices, scores) == eval.Predict(eval.Acc, e.Choices, reference[i]) {
				same++
			}
		}
		row, _ := c.Row(eval.Acc, eval.GroupAll, "untouched")
		t.Logf("%s: %d items in %.1f s, the worst log-likelihood %.2g off, %d choices the same, acc %.4f", name, len(task.Examples), time.Since(start).Seconds(), worst, same, row.FirstMaximum)
		if m.DType == dtypes.Float32 && worst > 5e-3 || float64(same) < 0.985*float64(len(task.Examples)) {
			t.Errorf("%s: the worst log-likelihood is %g off, %d of %d choices are the same", name, worst, same, len(task.Examples))
		}
	}
}

func readReferences(t *testing.T, path string) map[string][][]float64 {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var references map[string][][]float64
	if err := json.NewDecoder(text).Decode(&references); err != nil {
		t.Fatal(err)
	}
	return references
}

// TestRealModelAnswersAChat renders a conversation with the checkpoint's template, encodes it and continues it greedily, each as transformers does.
func TestRealModelAnswersAChat(t *testing.T) {
	dir := os.Getenv("ATTUNE_REAL_MODEL")
	path := filepath.Join("..", "..", "..", "shared", "data", "models", "smollm2-135m-instruct", "reference.json")
	text, err := os.ReadFile(path)
	if err != nil || dir == "" {
		t.Skip("needs ATTUNE_REAL_MODEL, a directory that smollm2-135m-instruct/convert.py wrote, and the folder shared beside the repository")
	}
	var reference struct {
		Prompt string `json:"chat_prompt"`
		IDs    []int  `json:"chat_prompt_ids"`
		All    []int  `json:"chat_ids"`
	}
	if err := json.Unmarshal(text, &reference); err != nil {
		t.Fatal(err)
	}
	template, err := chat.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	prompt, err := template.Render([]chat.Message{{Role: "user", Content: "Name three things that float on water."}}, chat.Options{AddGenerationPrompt: true})
	if err != nil {
		t.Fatal(err)
	}
	if prompt != reference.Prompt {
		t.Errorf("the prompt is %q, expected %q", prompt, reference.Prompt)
	}
	m, err := model.Load(dir, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids := m.Tokenizer.EncodePlain(prompt)
	if !slices.Equal(ids, reference.IDs) {
		t.Fatalf("its tokens are %v, expected %v", ids, reference.IDs)
	}
	want := reference.All[len(reference.IDs):]
	err = engine.New(m, engine.Options{}).Generate(context.Background(), [][]int{ids}, model.GenerateOptions{MaxTokens: len(want), IgnoreEOS: true}, nil, func(_ int, got engine.Text) error {
		if !slices.Equal(got.Tokens, want) {
			t.Errorf("the answer is %v, expected %v", got.Tokens, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkAblation answers all PIQA items under the 13 arms of recipe ablate on a model that is open, and counts what the person waits for: the graphs, the seconds in which
// something compiles, and all of them. ATTUNE_REAL_MODEL is as above.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench Ablation -benchtime 1x ./pkg/eval
func BenchmarkAblation(b *testing.B) {
	dir := os.Getenv("ATTUNE_REAL_MODEL")
	dev, err := backend.FromEnv()
	if err != nil {
		b.Fatal(err)
	}
	m, err := model.Load(dir, model.Options{Backend: dev, DTypeName: cmp.Or(os.Getenv("ATTUNE_DTYPE"), "auto")})
	if err != nil {
		b.Fatalf("ATTUNE_REAL_MODEL: %v", err)
	}
	task, err := eval.LoadTask(filepath.Join("..", "..", "..", "shared", "data", "piqa"), 0, eval.TaskOptions{})
	if err != nil {
		b.Fatal(err)
	}
	grid := emulate.Grid{Base: emulate.Released(), Alphas: []float64{0.5, 1}, Taus: []float64{0.001, 0.05}, Sources: []int{1, 2}, Renormalise: []emulate.Renormalisation{"row", "keep-diagonal"}}
	points, err := grid.Points()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"uniform", "random", "local"} {
		p, err := grid.Control(name, 1)
		if err != nil {
			b.Fatal(err)
		}
		points = append(points, p)
	}
	arms := []eval.Arm{{Name: "untouched"}}
	for _, p := range points {
		arms = append(arms, eval.Arm{Name: p.Name, Plan: emulate.Plan{p.Spec}})
	}
	r := engine.New(m, engine.Options{})
	for b.Loop() {
		start, compiled := time.Now(), time.Time{}
		_, err := eval.Compare(context.Background(), task, arms, eval.Options{Runner: func() (*engine.Runner, error) { return r, nil }, Progress: func(p engine.Progress) {
			if p.Compiling != "" {
				compiled = time.Now()
			}
		}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(arms)), "arms")
		b.ReportMetric(float64(m.Compilations()), "graphs")
		b.ReportMetric(max(0, compiled.Sub(start).Seconds()), "compiling-s")
		b.ReportMetric(time.Since(start).Seconds(), "all-s")
	}
}
