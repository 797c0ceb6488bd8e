package backend

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomlx/compute"
)

var pluginPath = regexp.MustCompile(` ?\([^()]*\.so\)`)

// Describe says in one line what computes, for a note's provenance: the backend, its version, and the GPU's name where Linux tells it. Paths of
// the machine are left out.
func Describe(b compute.Backend) string {
	s := pluginPath.ReplaceAllString(b.Description(), "")
	if IsCUDA(b) {
		for _, gpu := range gpus() {
			s += ", " + gpu
		}
	}
	return s
}

// gpus lists the names of the NVIDIA GPUs that the driver shows.
func gpus() []string {
	files, _ := filepath.Glob("/proc/driver/nvidia/gpus/*/information")
	var names []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "Model:"); ok {
				names = append(names, strings.TrimSpace(name))
			}
		}
	}
	return names
}
