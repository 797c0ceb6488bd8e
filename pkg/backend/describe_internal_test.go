package backend

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTheCardThatComputesIsNamed: a result's name holds the card that made it, whatever others the machine has.
func TestTheCardThatComputesIsNamed(t *testing.T) {
	dir := t.TempDir()
	for address, text := range map[string]string{
		"0000:4b:00.0": "Model: \t\t NVIDIA H200\nIRQ:   18\nGPU UUID: \t GPU-aa11\n",
		"0000:0a:00.0": "Model: \t\t NVIDIA L4\nIRQ:   17\nGPU UUID: \t GPU-bb22\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, address), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, address, "information"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cards := gpus(dir)
	for visible, want := range map[string]string{"": "NVIDIA L4", "0": "NVIDIA L4", "1": "NVIDIA H200", "1,0": "NVIDIA H200", "GPU-aa": "NVIDIA H200", "GPU-bb22": "NVIDIA L4", "MIG-77": "NVIDIA L4 or NVIDIA H200", "7": "NVIDIA L4 or NVIDIA H200"} {
		if got := first(cards, visible); got != want {
			t.Errorf("CUDA_VISIBLE_DEVICES=%q: %q, expected %q", visible, got, want)
		}
	}
	h200 := gpu{name: "NVIDIA H200"}
	if got := first([]gpu{h200, h200, h200}, "MIG-77"); got != h200.name {
		t.Errorf("three alike: %q", got)
	}
	if got := first(nil, ""); got != "" {
		t.Errorf("no card: %q", got)
	}
}
