package recipe

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
)

// backendOf chooses the backend of a run that was given none: the environment's, else xla:cpu for a larger model where its plugin and a C compiler are found, else
// the Go backend. Why is "" where nothing was weighed.
func backendOf(root string, values map[string]any) (name, why string, err error) {
	if name, err = env.BackendName(); name != "" || err != nil {
		return name, "", err
	}
	model, _ := values["model"].(string)
	name, why = env.DefaultBackend(weightsOf(root, model))
	if name == env.GoBackend {
		return name, "", nil
	}
	if _, err := kernel.CCompiler(); err != nil {
		return env.GoBackend, "", nil // XLA is linked with cgo
	}
	return name, why, nil
}

// weightsOf is the size of a model's weights by its parameter: a path as seen by the caller, or from the root.
func weightsOf(root, model string) int64 {
	if model == "" || strings.HasPrefix(model, "hf:") {
		return 0
	}
	if filepath.IsAbs(model) {
		return env.WeightsOf(model)
	}
	if dir := os.Getenv(env.CallerDir); dir != "" {
		if bytes := env.WeightsOf(filepath.Join(dir, model)); bytes > 0 {
			return bytes
		}
	}
	return max(env.WeightsOf(model), env.WeightsOf(filepath.Join(root, model)))
}

// BackendOf is the backend that results were computed on, and their dtype in the words of a parameter; "" where they do not say.
func BackendOf(results *note.Results) (backend, dtype string) {
	backend, _ = results.Provenance["backend"].(string)
	dtype, _ = results.Provenance["dtype"].(string)
	return backend, strings.ToLower(dtype)
}
