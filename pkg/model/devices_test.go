package model_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/internal/testdevices"
	"github.com/attune-lab/attune/pkg/model"
)

// dumpDir is set in the process that TestEachLayerAddsUpTwice starts: XLA reads its flags once.
const dumpDir = "ATTUNE_TEST_DUMP"

// cutConfig is a model of which everything is cut over two devices.
func cutConfig(kind string) *model.Config {
	c := tinyConfig()
	c.ModelType, c.VocabSize = kind, 98
	return c
}

// targetsOf scores some tokens and writes others.
func targetsOf(t *testing.T, m *model.Model) ([]float64, []int) {
	t.Helper()
	p := tokens(1, 20, 97)
	var targets []model.Target
	for i := range 18 {
		targets = append(targets, model.Target{Position: i, Token: p[i+1]})
	}
	r, err := m.Forward(model.Prompts(p), model.Outputs{Targets: model.Targets{targets}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Generate([][]int{p}, model.GenerateOptions{MaxTokens: 4}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.LogProbs[0], g.Tokens[0]
}

// TestEachLayerAddsUpTwice looks at what XLA made of a model in bfloat16 over two devices, whose products are fused: in the passes and in the loop that decodes each layer
// is added up twice, and neither a cache nor the vocabulary's logits nor a weight is brought together.
func TestEachLayerAddsUpTwice(t *testing.T) {
	t.Setenv(env.Backend, "xla:cpu") // whose form of a compiled graph it reads
	if dir := os.Getenv(dumpDir); dir != "" {
		two, err := model.New(cutConfig("llama"), nil, 7, model.Options{Backend: testdevices.Open(t, 2), Devices: 2, DType: dtypes.BFloat16})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := targetsOf(t, two)
		one, err := model.New(cutConfig("llama"), nil, 7, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wanted, _ := targetsOf(t, one)
		for i, want := range wanted {
			if d := math.Abs(got[i] - want); !(d < 0.1) { // bfloat16 of these weights beside float32: 0.03
				t.Errorf("target %d: %g over two devices in bfloat16, %g in float32", i, got[i], want)
			}
		}
		return
	}
	_ = testdevices.Open(t, 2)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestEachLayerAddsUpTwice$")
	cmd.Env = append(os.Environ(), dumpDir+"="+dir, env.XLAFlags+"=--xla_dump_to="+dir+" --xla_dump_hlo_as_text --xla_backend_optimization_level=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*after_optimizations.txt"))
	if err != nil {
		t.Fatal(err)
	}
	collective := regexp.MustCompile(`= \(?(\w+\[[\d,]*\])[^=]* (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)\(`)
	oneNumber := regexp.MustCompile(`^f32\[1(,1)*\]$`)
	var sums []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "num_partitions=2") {
			continue
		}
		n := 0
		for _, found := range collective.FindAllStringSubmatch(string(text), -1) {
			switch shape := found[1]; {
			case strings.HasSuffix(shape, ",32]") && found[2] == "all-reduce": // the hidden size
				n++
			case oneNumber.MatchString(shape): // go-xla (v0.4.5) adds a zero made of one operand to the other of products on processors
			case len(shape) < len("f32[1,2,20]"): // a number or two for each row, such as the largest logit
			default:
				t.Errorf("%s: an %s of %s", filepath.Base(file), found[2], shape)
			}
		}
		sums = append(sums, n)
	}
	slices.Sort(sums)
	// The output head; the embedding; three layers; and whole graphs of both for the prompt and for decoding.
	if want := []int{0, 1, 2, 7, 7}; !slices.Equal(slices.Compact(sums), slices.Compact(want)) {
		t.Errorf("executables add up %v times, expected %v", sums, want)
	}
}

// TestLayersOnDevicesComputeTheSame: layers placed on two devices, with an experiment that keeps something for later layers, and passes side by side.
func TestLayersOnDevicesComputeTheSame(t *testing.T) {
	dev := testdevices.Open(t, 2)
	one, err := model.New(cutConfig("llama"), nil, 7, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(cutConfig("llama"), nil, 7, model.Options{Backend: dev, Devices: 2, Place: model.PlaceLayers})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for _, exp := range []model.Experiment{nil, gain{}, counted{float32(i)}} {
				batch, want := model.Batch{Tokens: [][]int{tokens(i, 12, 97)}, Bucket: 12}, model.Outputs{Targets: model.Targets{{{Position: 11, Token: 4}, {Position: 3, Token: 5}}}}
				got, err := m.Forward(batch, want, exp)
				if err != nil {
					t.Error(err)
					return
				}
				expected, err := one.Forward(batch, want, exp)
				if err != nil {
					t.Error(err)
					return
				}
				for k, x := range expected.LogProbs[0] {
					if d := math.Abs(got.LogProbs[0][k] - x); !(d < 1e-4) {
						t.Errorf("%T, target %d differs by %g", exp, k, d)
					}
				}
				for name, layers := range expected.Emitted {
					for l, x := range layers {
						if d := maxDiff(tensors.MustCopyFlatData[float32](x), tensors.MustCopyFlatData[float32](got.Emitted[name][l])); !(d < 1e-4) {
							t.Errorf("%T: %s of layer %d differs by %g", exp, name, l, d)
						}
					}
				}
			}
		})
	}
	all.Wait()
	prompts := [][]int{tokens(1, 9, 97), tokens(2, 5, 97)}
	got, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := one.Generate(prompts, model.GenerateOptions{MaxTokens: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got.Tokens, want.Tokens, slices.Equal[[]int]) {
		t.Errorf("writes %v, on one device %v", got.Tokens, want.Tokens)
	}
	if _, err := m.Forward(model.Prompts(prompts...), model.Outputs{Logits: true, Whole: true}, nil); err == nil || !strings.Contains(err.Error(), "placed on 2 devices") {
		t.Errorf("a whole graph is not refused as it should be: %v", err)
	}
}
