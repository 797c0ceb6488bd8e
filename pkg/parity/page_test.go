package parity_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
)

var update = flag.Bool("update", false, "write docs/models.md anew")

// page is what a user reads about families: written by go test ./pkg/parity -run ModelsPage -update, and compared with the families that are read.
var page = filepath.Join("..", "..", "docs", "models.md")

const pageHead = `# Models

What opens with ` + "`model=`" + `: a Hugging Face directory or ` + "`hf:owner/name`" + `, and GGUF files of llama, qwen2, qwen3, gemma2, gemma3 and phi3. This page is written by
` + "`go test ./pkg/parity -run ModelsPage -update`" + ` from the checkpoints of testdata/reference, tiny ones with random weights in which all that is particular to a family is turned
on; the figures are the largest differences from transformers in float32 on the Go backend, over logits (limit 2e-4, from 7 layers on 5e-4) and attention probabilities (1e-5), and the share of equal tokens of greedy
continuations. Interventions are the five of pkg/parity, in prefill and in decoding.

Weights are read in float32, bfloat16, float16 and float64, and dequantised from mxfp4 (gpt_oss), fp8 and GGUF's types. The text part of gemma3, gemma4, llava and
mistral3 checkpoints opens by itself. Refused by name: GPTQ, AWQ, bitsandbytes; models that mix attention with other layers (jamba, lfm2, qwen3_next); gemma4 with experts.

Whatever opens can be checked without a reference: ` + "`go run ./recipes parity --self -p model=DIR`" + `.

"bfloat16" is the relative error of logits in bfloat16 on an NVIDIA H200, and "auto" what dtype=auto means there: bfloat16 for families whose checkpoints stay within 2e-2 of float32; elsewhere it is float32.
Families with experts keep their activations in float32, what routers read above all, and round the inputs of the experts' own products.
On a GPU many tokens go through their own experts by a grouped product (pkg/grouped) where widths are multiples of 64, elsewhere by rounds.
"On a GPU" says what computes a prefill's layers in bfloat16, each kind by itself, as the planner chooses: cuDNN's flash attention, or this repository's kernel
(pkg/attention/kernel), which has windows, soft caps and learned sinks; dense layers form their probabilities, as all do in float32 and on processors. Families with experts keep activations in float32: their layers are dense, and
round queries, keys and values for the kernel where prompts are padded to 1,024 tokens or more. Heads whose size no kernel takes (ours: powers of two from 16 to 256) are dense, too. A note's plan says what a run did.

| checkpoint | model_type | logits | attention | greedy | interventions | bfloat16 | auto | on a GPU |
|---|---|---|---|---|---|---|---|---|
`

const namesHead = `
## Names

What a layer computes has one name in every family, for ` + "`lab`'s `s.Activation(text, name, layer)`" + ` and for experiments:

| name | what | axes | in an experiment | TransformerLens | transformers |
|---|---|---|---|---|---|
| ` + "`attention`" + ` | probabilities, post-softmax | head, query, key | ` + "`Site.Probs`, `SetProbs`, `Change`" + ` | blocks.L.attn.hook_pattern | attentions[L] (eager) |
| ` + "`mlp`" + ` | output of the MLP or of the experts, behind a norm of its own where it has one | token, channel | ` + "`Visit.MLP`" + ` | blocks.L.hook_mlp_out | output of the module below |
| ` + "`residual`" + ` | residual stream behind the layer | token, channel | ` + "`Visit.Residual`" + ` | blocks.L.hook_resid_post | hidden_states[L+1], before the last norm |
| ` + "`Query`, `Keys`, `Values`" + ` | behind rotation and norms | head, token, channel | ` + "`Operands`" + ` | blocks.L.attn.hook_rot_q, hook_rot_k, hook_v | |

Heads count from 0 in the order of the checkpoint's query heads, layers from 0. The checkpoint's names of the modules, of layer 0:

| model_type | attention | mlp |
|---|---|---|
`

func TestModelsPageNamesEveryFamily(t *testing.T) {
	if *update {
		writePage(t)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range model.Families() {
		if !strings.Contains(string(text), "| "+family+" |") {
			t.Errorf("docs/models.md does not name %s: write it anew with -update", family)
		}
	}
	// What is data and no measurement must be what the page says.
	found, err := filepath.Glob(filepath.Join(committed, "*", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		m, err := model.Load(filepath.Dir(path), model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if row := fmt.Sprintf("| %s | %s |", autoOnCUDA(m), m.GPUPlan()); !strings.Contains(string(text), row) {
			t.Errorf("docs/models.md has no row that ends in %q, for %s: write it anew with -update", row, filepath.Base(filepath.Dir(path)))
		}
	}
}

// bfloat16Errors are the relative errors of checkpoints in bfloat16 on an H200, see testdata/reference/README.md.
func bfloat16Errors(t *testing.T) map[string]float64 {
	text, err := os.ReadFile(filepath.Join(committed, "bfloat16.json"))
	if err != nil {
		t.Fatal(err)
	}
	errors := map[string]float64{}
	if err := json.Unmarshal(text, &errors); err != nil {
		t.Fatal(err)
	}
	return errors
}

// TestAutoIsWhatWasMeasured holds the registry's bfloat16 to the measured errors: a family has it where all of its checkpoints stay below 2e-2, and none that was not measured.
func TestAutoIsWhatWasMeasured(t *testing.T) {
	worst := map[string]float64{}
	for name, e := range bfloat16Errors(t) {
		c, err := model.LoadConfig(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		worst[c.ModelType] = max(worst[c.ModelType], e)
	}
	for _, family := range model.Families() {
		e, measured := worst[family]
		if says := (&model.Config{ModelType: family}).PrefersBFloat16(); says != (measured && e < 2e-2) {
			t.Errorf("%s: error %g, measured %t, the registry says bfloat16: %t", family, e, measured, says)
		}
	}
}

func autoOnCUDA(m *model.Model) string {
	if m.Config.PrefersBFloat16() {
		return "bfloat16"
	}
	return "float32"
}

func writePage(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(committed, "*", "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(pageHead)
	modulesOf, errors := map[string]model.Modules{}, bfloat16Errors(t)
	for _, path := range found {
		dir := filepath.Dir(path)
		m, err := model.Load(dir, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ref, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := parity.Compare(m, ref, nil)
		ref.Close()
		if err != nil {
			t.Fatal(err)
		}
		worst, greedy, interventions := map[string]float64{}, 1.0, 0
		for _, r := range rows {
			kind, intervention, _ := strings.Cut(r.Tensor, ".")
			if r.Share {
				greedy = min(greedy, r.Value)
				continue
			}
			worst[kind] = max(worst[kind], r.Value)
			if kind == "logits" && intervention != "" {
				interventions++
			}
		}
		half := "not measured"
		if e, ok := errors[filepath.Base(dir)]; ok {
			half = fmt.Sprintf("%.1e", e)
		}
		fmt.Fprintf(&b, "| %s | %s | %.0e | %.0e | %.0f %% | %d | %s | %s | %s |\n", filepath.Base(dir), m.Config.ModelType, worst["logits"], worst["attentions"], 100*greedy, interventions, half, autoOnCUDA(m), m.GPUPlan())
		if modules := m.Modules(0); modulesOf[m.Config.ModelType] == (model.Modules{}) {
			modulesOf[m.Config.ModelType] = modules
		}
	}
	b.WriteString(namesHead)
	for _, family := range slices.Sorted(maps.Keys(modulesOf)) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", family, modulesOf[family].Attention, modulesOf[family].MLP)
	}
	if err := env.WriteBytes(page, 0o644, []byte(b.String())); err != nil {
		t.Fatal(err)
	}
}
