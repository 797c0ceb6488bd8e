package parity_test

import (
	"path/filepath"
	"testing"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
)

// TestModelsCutOverDevicesComputeWhatTransformersComputes: logits, maps, greedy decoding and the five interventions of models cut over two and four devices of XLA's plugin
// for processors.
func TestModelsCutOverDevicesComputeWhatTransformersComputes(t *testing.T) {
	if env.FindCPUPlugin() == "" {
		t.Skip("needs XLA's plugin for processors: go run ./recipes plugin cpu")
	}
	for _, c := range []struct {
		devices  int
		families []string
	}{
		{2, []string{"llama", "gpt2", "gemma2", "mixtral"}},
		{4, []string{"qwen3"}},
	} {
		b, err := backend.OpenDevices("xla:cpu", c.devices)
		if err != nil {
			t.Skip(err) // a build without cgo
		}
		for _, family := range c.families {
			t.Run(family, func(t *testing.T) {
				dir := filepath.Join(committed, family)
				m, err := model.Load(dir, model.Options{Backend: b, Devices: c.devices})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				t.Log(m.Warnings)
				ref, err := safetensors.Open(filepath.Join(dir, "reference.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer ref.Close()
				rows, err := parity.Compare(m, ref, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rows {
					if !r.Passed() {
						t.Errorf("%s: %g, limit %g", r.Tensor, r.Value, r.Limit)
					}
				}
			})
		}
	}
}
