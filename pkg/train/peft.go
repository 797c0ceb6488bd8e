package train

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// PEFT's layout of a LoRA adapter: adapter_config.json, and adapter_model.safetensors with base_model.model.<module>.lora_A.weight [rank, in] and
// lora_B.weight [out, rank].
const (
	peftConfig  = "adapter_config.json"
	peftWeights = "adapter_model.safetensors"
	peftPrefix  = "base_model.model."
)

// peftFields are those of adapter_config.json that Attune knows.
type peftFields struct {
	Type         string   `json:"peft_type"`
	Task         string   `json:"task_type"`
	Base         string   `json:"base_model_name_or_path"`
	Rank         int      `json:"r"`
	Alpha        float64  `json:"lora_alpha"`
	Targets      []string `json:"target_modules"`
	Dropout      float64  `json:"lora_dropout"`
	Bias         string   `json:"bias"`
	FanInFanOut  bool     `json:"fan_in_fan_out"` // the base stores products as [in, out]
	Inference    bool     `json:"inference_mode"`
	InitLoRA     bool     `json:"init_lora_weights"`
	ModulesSaved []string `json:"modules_to_save"`
}

// SaveAdapter writes the adapter attached to a model in PEFT's layout. base names the model that it belongs to, a hub's name or a directory; it may be empty.
func SaveAdapter(m *model.Model, dir, base string) error {
	a, ok := m.Adapter()
	if !ok {
		return fmt.Errorf("saving an adapter: the model has none")
	}
	if a.Rank == 0 {
		return fmt.Errorf("saving an adapter: one of rank 0 has no matrices, and PEFT cannot read it")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var list []safetensors.Tensor
	for _, name := range m.AdapterWeights() {
		t, err := m.Store().GetVariable("/" + name).Value()
		if err != nil {
			return err
		}
		values, err := tensors.CopyFlatData[float32](t)
		if err != nil {
			return err
		}
		list = append(list, safetensors.FromFloat32s(peftPrefix+name, t.Shape().Dimensions, values))
	}
	if err := safetensors.Write(filepath.Join(dir, peftWeights), list, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	targets := a.Targets
	if len(targets) == 0 {
		targets = m.Projections()
	}
	f := peftFields{Type: "LORA", Task: "CAUSAL_LM", Base: base, Rank: a.Rank, Alpha: a.Scale() * float64(a.Rank), Targets: targets, Bias: "none",
		FanInFanOut: m.Config.ModelType == "gpt2", Inference: true, InitLoRA: true}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, peftConfig), append(data, '\n'), 0o644)
}

// LoadAdapter attaches an adapter that was saved in PEFT's layout, by [SaveAdapter] or by PEFT. What a plain LoRA adapter does not have, such as DoRA's magnitudes,
// ranks that differ or whole modules, is refused by name.
func LoadAdapter(m *model.Model, dir string) error {
	path := filepath.Join(dir, peftConfig)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	a, err := readPEFT(data, m.Projections())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := safetensors.Open(filepath.Join(dir, peftWeights))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := m.AttachAdapter(a, 0); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := setAdapter(m, f); err != nil {
		m.DetachAdapter()
		return fmt.Errorf("%s: %w", f.Path(), err)
	}
	return nil
}

// readPEFT reads adapter_config.json for a model with the given projections.
func readPEFT(data []byte, projections []string) (model.Adapter, error) {
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return model.Adapter{}, err
	}
	if targets, ok := all["target_modules"].(string); ok && targets != "all-linear" {
		return model.Adapter{}, fmt.Errorf("target_modules is the pattern %q, expected a list of names", targets)
	} else if ok {
		all["target_modules"] = projections
		data, _ = json.Marshal(all) // it has just been read
	}
	var f peftFields
	if err := json.Unmarshal(data, &f); err != nil {
		return model.Adapter{}, err
	}
	if f.Type != "LORA" {
		return model.Adapter{}, fmt.Errorf("peft_type is %q, expected LORA", f.Type)
	}
	for _, name := range []string{"use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform", "target_parameters", "lora_bias", "trainable_token_indices"} {
		switch v := all[name].(type) {
		case nil:
		case bool:
			if v {
				return model.Adapter{}, fmt.Errorf("%s is set, which Attune does not compute", name)
			}
		case map[string]any:
			if len(v) > 0 {
				return model.Adapter{}, fmt.Errorf("%s is %v, which Attune does not compute", name, v)
			}
		case []any:
			if len(v) > 0 {
				return model.Adapter{}, fmt.Errorf("%s is %v, which Attune does not compute", name, v)
			}
		default:
			return model.Adapter{}, fmt.Errorf("%s is %v, which Attune does not compute", name, v)
		}
	}
	if f.Bias != "" && f.Bias != "none" {
		return model.Adapter{}, fmt.Errorf("bias is %q, expected none: biases are not adapted", f.Bias)
	}
	slices.Sort(f.Targets)
	return model.Adapter{Rank: f.Rank, Alpha: f.Alpha, Targets: f.Targets}, nil
}

// setAdapter puts a file's matrices into the attached adapter: each of them, and no others.
func setAdapter(m *model.Model, f *safetensors.File) error {
	names := m.AdapterWeights()
	for _, name := range f.Names() {
		if !slices.Contains(names, strings.TrimPrefix(name, peftPrefix)) {
			return fmt.Errorf("tensor %q belongs to none of the adapted projections of this %s", name, m.Config.ModelType)
		}
	}
	for _, name := range names {
		t, err := f.Tensor(peftPrefix + name)
		if err != nil {
			return err
		}
		v := m.Store().GetVariable("/" + name)
		if !slices.Equal(t.Shape, v.Shape().Dimensions) {
			return fmt.Errorf("tensor %q has shape %v, expected %v", t.Name, t.Shape, v.Shape().Dimensions)
		}
		values, err := t.Float32s()
		if err != nil {
			return err
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, t.Shape...)); err != nil {
			return err
		}
	}
	return nil
}
