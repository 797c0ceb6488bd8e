package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// ErrNoPeer is returned where the peer cannot run: no python3, or none with PyTorch, transformers and a GPU.
var ErrNoPeer = errors.New("the peer needs python3 with torch and transformers, and a GPU")

// Peer runs the peer's script beside the recipe, on the same machine and in the same run, and returns its measurements by name.
func Peer(ctx context.Context, script string, arguments ...string) (map[string]float64, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return nil, ErrNoPeer
	}
	if exec.CommandContext(ctx, python, "-c", "import torch, transformers; assert torch.cuda.is_available()").Run() != nil {
		return nil, ErrNoPeer
	}
	cmd := exec.CommandContext(ctx, python, append([]string{script}, arguments...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		text := stderr.String()
		return nil, fmt.Errorf("peer %s: %w\n%s", script, err, text[max(0, len(text)-2000):])
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var m map[string]float64
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		return nil, fmt.Errorf("peer %s: its last line %q is not a JSON object of numbers: %w", script, lines[len(lines)-1], err)
	}
	return m, nil
}
