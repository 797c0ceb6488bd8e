package parity_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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

| checkpoint | model_type | logits | attention | greedy | interventions |
|---|---|---|---|---|---|
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
}

func writePage(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(committed, "*", "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(pageHead)
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
		fmt.Fprintf(&b, "| %s | %s | %.0e | %.0e | %.0f %% | %d |\n", filepath.Base(dir), m.Config.ModelType, worst["logits"], worst["attentions"], 100*greedy, interventions)
	}
	if err := env.WriteBytes(page, 0o644, []byte(b.String())); err != nil {
		t.Fatal(err)
	}
}
