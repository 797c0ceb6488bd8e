package parity_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
)

// committed holds a checkpoint with its reference for every family; see its README.
var committed = filepath.Join("..", "..", "testdata", "reference")

// fixtures are the checkpoints with references: those of the repository, those beside it, and those of the directory that ATTUNE_FIXTURES names, one
// folder each.
func fixtures(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, root := range []string{committed, filepath.Join("..", "..", "..", "shared", "fixtures"), os.Getenv("ATTUNE_FIXTURES")} {
		if root == "" {
			continue
		}
		found, err := filepath.Glob(filepath.Join(root, "*", "reference.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, found...)
	}
	return dirs
}

func TestModelsComputeWhatTransformersComputes(t *testing.T) {
	for _, path := range fixtures(t) {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, err := model.Load(dir, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			ref, err := safetensors.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer ref.Close()
			rows, err := parity.Compare(m, ref, nil)
			if err != nil {
				t.Fatal(err)
			}
			compared := map[string]bool{}
			for _, r := range rows {
				compared[r.Tensor] = true
				if !r.Passed() {
					t.Errorf("%s: %g, limit %g", r.Tensor, r.Value, r.Limit)
				}
			}
			if _, err := ref.Tensor("logits.released"); err != nil {
				t.Log("the reference has no interventions")
				return
			}
			for _, name := range wanted(m.Config.Layers) {
				if !compared[name] {
					t.Errorf("the reference has no %s", name)
				}
			}
		})
	}
}

// wanted lists what every reference must hold.
func wanted(layers int) []string {
	names := []string{"logits", "greedy", "sink.alpha", "sink.rate"}
	for l := range layers {
		names = append(names, fmt.Sprintf("attentions.%d", l))
	}
	for m := range parity.Interventions() {
		names = append(names, "logits."+m, "greedy."+m)
	}
	return names
}

// TestEveryFamilyHasAReference: what the repository holds covers every model type that is read.
func TestEveryFamilyHasAReference(t *testing.T) {
	found := map[string]bool{}
	for _, path := range fixtures(t) {
		if filepath.Dir(filepath.Dir(path)) != committed {
			continue
		}
		c, err := model.LoadConfig(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		found[c.ModelType] = true
	}
	for _, family := range model.Families() {
		if !found[family] {
			t.Errorf("testdata/reference has no checkpoint of %s", family)
		}
	}
}

// written is a file of tensors, open until the test ends.
func written(t *testing.T, ts []safetensors.Tensor) *safetensors.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reference.safetensors")
	if err := safetensors.Write(path, ts, nil); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestParityCanFail compares with made-up references: a comparison that cannot fail says nothing.
func TestParityCanFail(t *testing.T) {
	c := &model.Config{ModelType: "llama", VocabSize: 50, HiddenSize: 16, IntermediateSize: 32, Layers: 2, Heads: 2, KVHeads: 1, HeadDim: 8,
		MaxPositions: 32, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	write := func(ts ...safetensors.Tensor) *safetensors.File { return written(t, ts) }
	ids := safetensors.FromInt32s("input_ids", []int{1, 3}, []int32{1, 5, 9})
	rows, err := parity.Compare(m, write(ids,
		safetensors.FromFloat32s("logits", []int{1, 3, 50}, make([]float32, 150)),
		safetensors.FromInt32s("greedy.released", []int{1, 5}, []int32{1, 5, 9, -1, -1})), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Passed() {
			t.Errorf("%s passes against a made-up reference with %g", r.Tensor, r.Value)
		}
	}
	for name, bad := range map[string]safetensors.Tensor{
		"no such thing":           safetensors.FromFloat32s("hidden.3", []int{1}, []float32{0}),
		"unknown intervention":    safetensors.FromFloat32s("logits.magic", []int{1, 3, 50}, make([]float32, 150)),
		"layer beyond the model":  safetensors.FromFloat32s("attentions.2", []int{1, 2, 3, 3}, make([]float32, 18)),
		"another vocabulary":      safetensors.FromFloat32s("logits", []int{1, 3, 51}, make([]float32, 153)),
		"greedy of other prompts": safetensors.FromInt32s("greedy", []int{1, 4}, []int32{1, 5, 8, 2}),
	} {
		if _, err := parity.Compare(m, write(ids, bad), nil); err == nil || !strings.Contains(err.Error(), bad.Name) {
			t.Errorf("%s: %v, expected an error that names %q", name, err, bad.Name)
		}
	}
	if _, err := parity.Compare(m, write(safetensors.FromFloat32s("logits", []int{1}, []float32{0})), nil); err == nil || !strings.Contains(err.Error(), "input_ids") {
		t.Errorf("no inputs: %v", err)
	}
}
