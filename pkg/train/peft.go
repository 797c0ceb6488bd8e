package train

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// peftFields are those of adapter_config.json that are written; model.LoadAdapter reads them.
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
		list = append(list, safetensors.FromFloat32s(model.PEFTPrefix+name, t.Shape().Dimensions, values))
	}
	if err := safetensors.Write(filepath.Join(dir, model.PEFTWeights), list, map[string]string{"format": "pt"}); err != nil {
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
	return os.WriteFile(filepath.Join(dir, model.PEFTConfig), append(data, '\n'), 0o644)
}
