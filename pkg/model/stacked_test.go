package model_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// TestExpertsThatLieStacked opens checkpoints whose experts are as transformers 5 holds them in memory, and compares their logits with those of the published form.
func TestExpertsThatLieStacked(t *testing.T) {
	for name, modules := range map[string][3]string{"mixtral": {"w1", "w3", "w2"}, "qwen3_moe": {"gate_proj", "up_proj", "down_proj"}} {
		dir := writeFamily(t, name)
		want := openFamily(t, dir)
		f, err := safetensors.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		tensor := func(name string) safetensors.Tensor {
			x, err := f.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		const experts = 5
		var out []safetensors.Tensor
		for _, stored := range f.Names() {
			at := strings.Index(stored, "experts.")
			switch {
			case at < 0:
				x := tensor(stored)
				x.Name = strings.Replace(stored, "block_sparse_moe.gate", "mlp.gate", 1)
				out = append(out, x)
			case strings.HasSuffix(stored, "experts.0."+modules[0]+".weight"):
				prefix := stored[:at] + "experts."
				up, down := safetensors.Tensor{DType: "F32"}, safetensors.Tensor{DType: "F32"}
				for i := range experts {
					for k, to := range []*safetensors.Tensor{&up, &up, &down} {
						x := tensor(fmt.Sprintf("%s%d.%s.weight", prefix, i, modules[k]))
						to.Data, to.Shape, to.DType = append(to.Data, x.Data...), []int{experts, x.Shape[0], x.Shape[1]}, x.DType
					}
				}
				up.Shape[1] *= 2
				layer := strings.Replace(prefix, "block_sparse_moe", "mlp", 1)
				up.Name, down.Name = layer+"gate_up_proj", layer+"down_proj"
				out = append(out, up, down)
			}
		}
		path := filepath.Join(dir, "model.safetensors")
		if err := safetensors.Write(path, out, nil); err != nil {
			t.Fatal(err)
		}
		prompt := [][]int{tokens(1, 12, want.Config.VocabSize)}
		if a, b := logits(t, want, prompt, nil), logits(t, openFamily(t, dir), prompt, nil); !slices.Equal(a[0], b[0]) {
			t.Errorf("%s: other logits than of the published form", name)
		}
		for i := range out {
			if strings.HasSuffix(out[i].Name, "gate_up_proj") {
				out[i].Shape = []int{experts, out[i].Shape[1] / 2, out[i].Shape[2] * 2}
			}
		}
		if err := safetensors.Write(path, out, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := model.Load(dir, model.Options{}); err == nil || !strings.Contains(err.Error(), "gate_up_proj") || !strings.Contains(err.Error(), "expected 5 experts") {
			t.Errorf("%s: %v, expected an error that names the tensor", name, err)
		}
		f.Close()
	}
}
