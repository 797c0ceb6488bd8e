package backend

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomlx/compute"
)

var (
	pluginPath = regexp.MustCompile(` ?\([^()]*\.(so|dylib|dll)\)`)
	pluginName = regexp.MustCompile(`xla:\S*pjrt_c_api_(\w+)_plugin\.(so|dylib|dll)`) // opened by its path
)

// Describe says in one line what computes, for a note's provenance: the backend, its version, and the GPU's name where Linux tells it. Paths of
// the machine are left out.
func Describe(b compute.Backend) string {
	s := pluginName.ReplaceAllString(pluginPath.ReplaceAllString(b.Description(), ""), "xla:$1")
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
