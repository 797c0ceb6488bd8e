package attention_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
)

// everyMask are Specs whose fused forms differ: every mask, every renormalisation and gains on both sides of 1.
func everyMask(tokens int) map[string]emulate.Spec {
	gain := func(g float64) emulate.Spec {
		return emulate.Spec{Alpha: g - 1, Schedule: emulate.ScheduleConstant, Tau: 0.01}
	}
	with := func(g float64, r emulate.Renormalisation) emulate.Spec { s := gain(g); s.Renormalise = r; return s }
	act := emulate.ACT()
	act.Tau = 1.5 / float64(tokens) // random heads have no sinks: an even share and a half
	heads := gain(2)
	heads.Heads = []int{1, 2, 30}
	return map[string]emulate.Spec{
		"released": emulate.Released(), "damped": gain(0.3), "row": with(2, emulate.RenormaliseRow), "row, damped": with(0.3, emulate.RenormaliseRow), "rest": with(0.4, emulate.RenormaliseRest),
		"keep-diagonal": with(2, emulate.RenormaliseKeepDiagonal), "uniform": emulate.Uniform(gain(2)), "first-release": emulate.FirstRelease(), "heads": heads, "random": emulate.Random(gain(2), 3),
		"local": emulate.Local(gain(2)), "suppress": emulate.Suppress(0.3), "zero-tuning": emulate.ZeroTuning(0.2), "act": act, "per key": {Alpha: 1, PerKey: 2}, "top 5": {Alpha: 1, TopK: 5},
		"quantile": {Alpha: 1, Quantile: 0.99}, "pair mean": {Alpha: 1, Tau: 0.002, Pairing: emulate.PairMean}, "pair best": {Alpha: 1, Tau: 0.01, Pairing: emulate.PairBest},
		"outside": emulate.PASTA([][2]int{{0, tokens / 2}}, [][2]int{{1, 3}, {1, 9}}), "gain 0": gain(0),
	}
}

// errors emits, for each emulate.Spec, how far its fused forms are from its dense one in a layer, and how much the emulate.Spec changes at all, all relative to the norm of the
// dense result. Forms are the passes with a bias and the pass of the kernel that weighs, from bits and by limits, where the layer has them. "plain" is the layer
// itself.
type errors struct {
	names []string
	specs map[string]emulate.Spec
	layer int
}

func (e errors) Visit(l attention.Layer) *attention.Visit {
	norm := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(ConvertDType(x, dtypes.Float32)))) }
	changes := map[string]*attention.Plan{}
	fused := map[string]map[string]*Node{} // all of them first: a site whose probabilities are asked for has no fused kernel any more
	var each []attention.Experiment
	for _, name := range e.names {
		for i, maxBytes := range []int64{0, 1} { // with one byte no bits fit
			exp, err := apply.Execution{MaxBytes: maxBytes}.New(e.specs[name])
			if err != nil {
				panic(err)
			}
			each = append(each, intercepted{exp, func(c *attention.Plan) {
				if l.Index != e.layer {
					return
				}
				if i == 0 {
					changes[name], fused[name] = c, map[string]*Node{}
				}
				if i == 0 && c.Site().TakesBias() {
					fused[name]["passes"] = c.RunFused()
				}
				if mask, how := c.OnePass(); how != "" {
					fused[name][how] = c.RunOnePass(mask)
				}
			}})
		}
	}
	each = append(each, last(func(site *attention.Site) {
		if site.Index != e.layer {
			return
		}
		own, _ := site.RunFused()
		plain := ConvertDType(site.Weigh(site.Probs()), dtypes.Float32)
		site.Emit("plain: fused", Div(norm(Sub(ConvertDType(own, dtypes.Float32), plain)), norm(plain)))
		for name, c := range changes {
			dense := ConvertDType(site.Weigh(c.OnProbs(site.Probs())), dtypes.Float32)
			for form, out := range fused[name] {
				site.Emit(name+": "+form, Div(norm(Sub(ConvertDType(out, dtypes.Float32), dense)), norm(dense)))
			}
			site.Emit(name+" change", Div(norm(Sub(plain, dense)), norm(dense)))
		}
	}))
	v := attention.Sequence(each...).Visit(l)
	v.Key = fmt.Sprintf("errors %v in layer %d at layer %d", e.names, e.layer, l.Index)
	return v
}

// intercepted is an experiment whose changes are looked at and not made.
type intercepted struct {
	attention.Experiment
	look func(*attention.Plan)
}

func (e intercepted) Visit(l attention.Layer) *attention.Visit {
	v := e.Experiment.Visit(l)
	if v == nil {
		return nil
	}
	build := v.Build
	v.Build = func(site *attention.Site) {
		attention.Intercept(site, e.look)
		build(site)
	}
	return v
}

// last is an experiment that looks at every site.
type last func(*attention.Site)

func (f last) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "last", Build: f}
}

// openCUDA opens the backend that ATTUNE_BACKEND names, and skips where that is no GPU: fused kernels are there.
func openCUDA(t *testing.T) compute.Backend {
	t.Helper()
	dev, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if !backend.IsCUDA(dev) {
		t.Skip("needs an NVIDIA GPU: set ATTUNE_BACKEND=xla:cuda")
	}
	return dev
}

// TestFusedFormsOnAnAccelerator compares the fused forms with the dense one in bfloat16, 32 heads, at lengths up to 8,192. The bound is bfloat16's rounding
// of outputs, biases and probabilities: 2^-8 of each, a few times.
func TestFusedFormsOnAnAccelerator(t *testing.T) {
	dev := openCUDA(t)
	for _, dim := range []int{128, 64} {
		// Scores of standard deviation 3, so that thresholds pass some keys and not most.
		c := &model.Config{ModelType: "llama", VocabSize: 512, HiddenSize: 32 * dim, IntermediateSize: 64, Layers: 3, Heads: 32, KVHeads: 32, HeadDim: dim,
			MaxPositions: 8192, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: math.Sqrt(3 / float64(32*dim))}
		m, err := model.NewOnDevice(c, 3, model.Options{Backend: dev, DType: dtypes.BFloat16})
		if err != nil {
			t.Fatal(err)
		}
		for _, tokens := range []int{8192, 4096, 1024} {
			t.Run(fmt.Sprintf("dim %d, T %d", dim, tokens), func(t *testing.T) { compareForms(t, m, tokens) })
		}
	}
}

// compareForms compares the two forms of every emulate.Spec at a length.
func compareForms(t *testing.T, m *model.Model, tokens int) {
	specs := everyMask(tokens)
	prompt := []int{1}
	for i := 1; i < tokens; i++ {
		prompt = append(prompt, (34+i*i*5+i*7919)%509+3)
	}
	for group := range slices.Chunk(slices.Sorted(maps.Keys(specs)), map[int]int{1024: 32, 4096: 8, 8192: 3}[tokens]) { // as many as fit the memory
		r, err := m.Forward(model.Prompts(prompt), model.Outputs{}, errors{group, specs, 1})
		if err != nil {
			t.Fatal(err)
		}
		judge(t, r.Emitted, 1)
	}
}

// judge what errors emitted at a layer.
func judge(t *testing.T, emitted model.Emitted, layer int) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(emitted)) {
		x := tensors.ToScalar[float32](emitted[what][layer])
		t.Logf("%-60s %.1e", what, x)
		switch changes := strings.HasSuffix(what, " change"); {
		case changes && x < 1e-3:
			t.Errorf("%s is %g: the test says nothing", what, x)
		case !changes && !(x < 1e-2):
			t.Errorf("%s differs from dense by %g, expected less than 1e-2", what, x)
		}
	}
}

// TestLayersOnlyOursComputes compares the forms in layers that the library's kernel does not compute: with soft caps, windows, heads of 256 and learned sinks (gpt_oss,
// whose layers are taken to be too large for their float32 maps, and so round their operands).
func TestLayersOnlyOursComputes(t *testing.T) {
	dev := openCUDA(t)
	const tokens = 700
	for name, fields := range map[string]string{
		"gemma2":      `"model_type":"gemma2","sliding_window":200,"query_pre_attn_scalar":256,"final_logit_softcapping":30,"attn_logit_softcapping":5,"head_dim":256`,
		"gemma3_text": `"model_type":"gemma3_text","sliding_window":200,"sliding_window_pattern":3,"query_pre_attn_scalar":256,"head_dim":256`,
		"mistral":     `"model_type":"mistral","sliding_window":300,"head_dim":128`,
		"gpt_oss":     `"model_type":"gpt_oss","sliding_window":200,"head_dim":64,"num_local_experts":4,"num_experts_per_tok":2`,
	} {
		c, err := model.ParseConfig([]byte("{" + fields + `,"vocab_size":97,"hidden_size":256,"intermediate_size":48,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,
			"max_position_embeddings":1024,"initializer_range":0.108,"bos_token_id":1}`)) // scores of standard deviation 3
		if err != nil {
			t.Fatal(err)
		}
		m, err := model.New(c, nil, 5, model.Options{Backend: dev, DType: dtypes.BFloat16})
		if err != nil {
			t.Fatal(err)
		}
		specs := everyMask(tokens)
		maps.DeleteFunc(specs, func(name string, _ emulate.Spec) bool {
			return !slices.Contains([]string{"damped", "row", "gain 0", "random", "local", "first-release", "keep-diagonal", "zero-tuning"}, name)
		})
		for _, layer := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, layer %d", name, layer), func(t *testing.T) {
				if name == "gpt_oss" {
					defer attention.SquareBytes(attention.SquareBytes(1))
				}
				r, err := m.Forward(model.Prompts(testPrompt(tokens)), model.Outputs{}, errors{slices.Sorted(maps.Keys(specs)), specs, layer})
				if err != nil {
					t.Fatal(err)
				}
				judge(t, r.Emitted, layer)
			})
		}
	}
}
