package parity_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/internal/testdevices"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
)

// TestModelsCutOverDevicesComputeWhatTransformersComputes: logits, greedy decoding and the five interventions of models cut over two and four devices.
func TestModelsCutOverDevicesComputeWhatTransformersComputes(t *testing.T) {
	for _, c := range []struct {
		devices  int
		families []string
	}{{2, []string{"llama", "gemma2", "phi3", "mixtral"}}, {4, []string{"gpt2"}}} {
		b := testdevices.Open(t, c.devices)
		for _, family := range c.families {
			t.Run(family, func(t *testing.T) {
				dir := filepath.Join(committed, family)
				m, err := model.Load(dir, model.Options{Backend: b, Devices: c.devices})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				if len(m.Warnings) > 0 {
					t.Errorf("not all of it is cut: %v", m.Warnings)
				}
				ref := part(t, filepath.Join(dir, "reference.safetensors"))
				rows, err := parity.Compare(m, ref, nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(rows) != 8 {
					t.Errorf("%d rows, expected logits of six arms and what two write", len(rows))
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

// part is a reference without its maps and all but two of its texts: every graph is compiled for this test alone.
func part(t *testing.T, path string) *safetensors.File {
	t.Helper()
	whole, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	names := []string{"input_ids", "logits", "greedy", "greedy.released"}
	for m := range parity.Interventions() {
		names = append(names, "logits."+m)
	}
	var kept []safetensors.Tensor
	for _, name := range slices.Sorted(slices.Values(names)) {
		x, err := whole.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, x)
	}
	return written(t, kept)
}
