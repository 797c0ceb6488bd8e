package model_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// TestAdapterCases attaches the adapters of shared/cases to the small real model; right values are PEFT's.
func TestAdapterCases(t *testing.T) {
	base := shared(t, "data/models/stories260k")
	plain := [2]float64{-13.432343, -8.271895}
	for name, c := range map[string]struct {
		want  [2]float64
		error []string
	}{
		"lora-plain":          {want: plain},
		"lora-gaussian":       {want: plain},
		"lora-no-alpha":       {want: plain},
		"lora-qalora":         {want: plain},
		"lora-regex":          {want: plain},
		"lora-alphapat":       {want: [2]float64{-13.570004, -8.220777}},
		"lora-layers":         {want: [2]float64{-12.774510, -7.762987}},
		"lora-layers-pattern": {want: [2]float64{-12.763823, -7.768251}},
		"lora-rslora":         {want: [2]float64{-13.597912, -8.388457}},
		"lora-alora":          {error: []string{"alora_invocation_tokens"}},
		"lora-pissa":          {error: []string{"init_lora_weights", `"pissa"`}},
		"lora-partial":        {error: []string{"base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight"}},
	} {
		dir := shared(t, filepath.Join("cases", name))
		m, err := model.Load(base, model.Options{Adapter: dir})
		if c.error != nil {
			for _, part := range c.error {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %v, expected an error that names %s", name, err, part)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := caseValues(t, m); !nearCase(got, c.want, 1e-4) {
			t.Errorf("%s: log-probabilities %.6f, expected %.6f", name, got, c.want)
		}
	}
}

// adapterDir writes an adapter of rank 2 on some modules of the tiny model, with more fields in its configuration.
func adapterDir(t *testing.T, modules []string, fields map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	config := map[string]any{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": []string{"q_proj", "v_proj"}}
	maps.Copy(config, fields)
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, model.PEFTConfig), data, 0o600); err != nil {
		t.Fatal(err)
	}
	out := map[string]int{"q_proj": 32, "k_proj": 16, "v_proj": 16, "up_proj": 24, "shared_expert_gate": 1}
	var all []safetensors.Tensor
	for i, name := range modules {
		n := out[name[strings.LastIndex(name, ".")+1:]]
		values := make([]float32, 2*32+2*n)
		for k := range values {
			values[k] = float32((k*7+i*3)%11-5) / 10
		}
		all = append(all, safetensors.FromFloat32s(model.PEFTPrefix+name+".lora_A.weight", []int{2, 32}, values[:64]),
			safetensors.FromFloat32s(model.PEFTPrefix+name+".lora_B.weight", []int{n, 2}, values[64:]))
	}
	if err := safetensors.Write(filepath.Join(dir, model.PEFTWeights), all, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// modulesOf names the modules of the tiny model's three layers.
func modulesOf(layers []int, projections ...string) []string {
	var all []string
	for _, l := range layers {
		for _, p := range projections {
			all = append(all, "model.layers."+string(rune('0'+l))+".self_attn."+p)
		}
	}
	return all
}

// TestAdapterFieldsChooseModules: which modules PEFT adapts for each way of saying it.
func TestAdapterFieldsChooseModules(t *testing.T) {
	every := []int{0, 1, 2}
	for name, c := range map[string]struct {
		fields  map[string]any
		modules []string
		error   string
	}{
		"list":                             {nil, modulesOf(every, "q_proj", "v_proj"), ""},
		"whole name":                       {map[string]any{"target_modules": []string{"model.layers.1.self_attn.q_proj"}}, modulesOf([]int{1}, "q_proj"), ""},
		"pattern":                          {map[string]any{"target_modules": `model\.layers\.(0|2)\.self_attn\.[qk]_proj`}, modulesOf([]int{0, 2}, "q_proj", "k_proj"), ""},
		"excluded by list":                 {map[string]any{"exclude_modules": []string{"v_proj"}}, modulesOf(every, "q_proj"), ""},
		"excluded by pattern":              {map[string]any{"exclude_modules": `.*\.1\..*`}, modulesOf([]int{0, 2}, "q_proj", "v_proj"), ""},
		"one layer":                        {map[string]any{"layers_to_transform": 2}, modulesOf([]int{2}, "q_proj", "v_proj"), ""},
		"layers with a pattern":            {map[string]any{"layers_to_transform": []int{0, 2}, "layers_pattern": []string{"layers"}}, modulesOf([]int{0, 2}, "q_proj", "v_proj"), ""},
		"layers of another name":           {map[string]any{"layers_to_transform": []int{0}, "layers_pattern": "h"}, nil, "no projection"},
		"nothing meant":                    {map[string]any{"target_modules": []string{"c_attn"}}, nil, "c_attn"},
		"unused beside used":               {map[string]any{"target_modules": []string{"q_proj", "c_attn"}}, modulesOf(every, "q_proj"), ""},
		"a pattern Go lacks":               {map[string]any{"target_modules": `(?!x).*q_proj`}, nil, "target_modules"},
		"layers with a pattern of targets": {map[string]any{"target_modules": ".*q_proj", "layers_to_transform": 1}, nil, "layers_to_transform"},
		"rank of a pattern":                {map[string]any{"rank_pattern": map[string]int{"q_proj": 3}}, modulesOf(every, "q_proj", "v_proj"), "[3 32]"},
		"patterns that disagree":           {map[string]any{"alpha_pattern": map[string]int{"q_proj": 3, "self_attn.q_proj": 4}}, nil, "disagree"},
		"absurd rank":                      {map[string]any{"r": 100000000}, nil, "r is 100000000"},
		"large rank":                       {map[string]any{"r": 10000000}, modulesOf(every, "q_proj", "v_proj"), "[10000000 32]"},
		"negative rank":                    {map[string]any{"r": -1}, nil, "r is -1"},
		"dora":                             {map[string]any{"use_dora": true}, nil, "use_dora"},
		"whole modules":                    {map[string]any{"modules_to_save": []string{"lm_head"}}, nil, "modules_to_save"},
		"replicated layers":                {map[string]any{"layer_replication": [][]int{{0, 2}, {1, 3}}}, nil, "layer_replication"},
		"parameters":                       {map[string]any{"target_parameters": []string{"experts.down"}}, nil, "target_parameters"},
		"biases":                           {map[string]any{"bias": "lora_only"}, nil, "bias"},
		"bias of matrices":                 {map[string]any{"lora_bias": true}, nil, "lora_bias"},
		"trained tokens":                   {map[string]any{"trainable_token_indices": []int{3}}, nil, "trainable_token_indices"},
		"a field of the future":            {map[string]any{"use_fancy": "yes"}, nil, "use_fancy"},
		"olora":                            {map[string]any{"init_lora_weights": "olora"}, nil, `"olora"`},
		"orthogonal":                       {map[string]any{"init_lora_weights": "orthogonal"}, modulesOf(every, "q_proj", "v_proj"), ""},
		"another method":                   {map[string]any{"peft_type": "VERA"}, nil, "VERA"},
		"rank as text":                     {map[string]any{"r": "2"}, nil, "r:"},
		"a tensor too many":                {map[string]any{"target_modules": []string{"q_proj"}}, modulesOf(every, "q_proj", "v_proj"), "v_proj"},
	} {
		m := tinyModel(t)
		err := m.LoadAdapter(adapterDir(t, c.modules, c.fields))
		if c.error != "" {
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%s: %v, expected an error that names %s", name, err, c.error)
			}
			if _, has := m.Adapter(); has {
				t.Errorf("%s: the model has an adapter after the error", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := slices.Sorted(slices.Values(c.modules))
		if got := m.AdapterModules(); !slices.Equal(got, want) {
			t.Errorf("%s: adapted are %v, expected %v", name, got, want)
		}
	}
}

// TestAdapterHasAHashOfItsOwn: results of a model with an adapter are not those of the model without.
func TestAdapterHasAHashOfItsOwn(t *testing.T) {
	m := tinyModel(t)
	m.Hash = "base"
	every := modulesOf([]int{0, 1, 2}, "q_proj", "v_proj")
	hashes := map[string]bool{"base": true}
	for _, alpha := range []int{4, 8} {
		if err := m.LoadAdapter(adapterDir(t, every, map[string]any{"lora_alpha": alpha})); err != nil {
			t.Fatal(err)
		}
		if m.Hash == "" || hashes[m.Hash] || m.AdapterBase() != "base" {
			t.Errorf("alpha %d: hash %q, base %q", alpha, m.Hash, m.AdapterBase())
		}
		hashes[m.Hash] = true
		if err := m.DetachAdapter(); err != nil {
			t.Fatal(err)
		}
	}
	if m.Hash != "base" {
		t.Errorf("detached, the hash is %q", m.Hash)
	}
}

// TestAdapterOfASharedExpert: what every token goes through is a product like any other (qwen2_moe).
func TestAdapterOfASharedExpert(t *testing.T) {
	m := family(t, "qwen2_moe")
	prompt := [][]int{tokens(1, 12, m.Config.VocabSize)}
	plain := logits(t, m, prompt, nil)[0]
	modules := []string{"model.layers.0.mlp.shared_expert.up_proj", "model.layers.2.mlp.shared_expert_gate"}
	if err := m.LoadAdapter(adapterDir(t, modules, map[string]any{"target_modules": `.*layers\.(0.*up_proj|2.*_gate)`})); err != nil {
		t.Fatal(err)
	}
	if got := m.AdapterModules(); !slices.Equal(got, modules) {
		t.Errorf("adapted are %v, expected %v", got, modules)
	}
	adapted := logits(t, m, prompt, nil)[0]
	if d := maxDiff(adapted, plain); d < 1e-2 {
		t.Errorf("the adapter changes logits by %g", d)
	}
	if err := m.MergeAdapter(); err != nil {
		t.Fatal(err)
	}
	if d := maxDiff(logits(t, m, prompt, nil)[0], adapted); d > 1e-4 {
		t.Errorf("merged it differs by %g", d)
	}
}
