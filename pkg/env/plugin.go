package env

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// PluginPath lists the folders in which PJRT plugins are looked for, colon-separated; unset: go-xla's own.
const PluginPath = "PJRT_PLUGIN_LIBRARY_PATH"

// PluginDir is where `recipes plugin` puts PJRT plugins: a folder of the cache. It need not exist.
func PluginDir() (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "pjrt"), nil
}

// FindCPUPlugin is the path of XLA's plugin for processors: in the folders of PJRT_PLUGIN_LIBRARY_PATH, or where that is unset in those of go-xla's installer, else where
// `recipes plugin cpu` puts it; "" where there is none.
func FindCPUPlugin() string {
	var dirs []string
	if path, set := os.LookupEnv(PluginPath); set {
		dirs = filepath.SplitList(path)
	} else {
		if home, err := os.UserHomeDir(); err == nil {
			dirs = append(dirs, filepath.Join(home, ".local", "lib", "go-xla"))
		}
		dirs = append(dirs, filepath.FromSlash("/usr/local/lib/go-xla"))
	}
	if dir, err := PluginDir(); err == nil {
		dirs = append(dirs, dir)
	}
	for _, dir := range slices.DeleteFunc(dirs, func(dir string) bool { return dir == "" }) {
		found, _ := filepath.Glob(filepath.Join(dir, "pjrt_c_api_cpu*_plugin.*"))
		for _, path := range found {
			if ext := filepath.Ext(path); ext == ".so" || ext == ".dylib" || ext == ".dll" {
				return path
			}
		}
	}
	return ""
}

// XLAFromBytes is the size of a model's weights from which xla:cpu is the default where its plugin is found: about 10 million parameters. On 2 cores the Go backend reads
// 120 to 180 tokens/s of a model of 135 million parameters (with SIMD), xla:cpu 590 to 670, and XLA compiles for some seconds, whatever the model's size. So for 100
// questions of two choices, 12,000 tokens, they take the same time at about 10 million parameters, and at 135 million XLA takes a third of it.
const XLAFromBytes = 20 << 20

// DefaultBackend is the backend of a model whose weights take so many bytes, where neither a flag nor the environment names one, and why.
func DefaultBackend(weights int64) (name, why string) {
	switch plugin := FindCPUPlugin(); {
	case plugin == "":
		return GoBackend, "no plugin of XLA for processors is found"
	case weights < XLAFromBytes:
		return GoBackend, "the model is small"
	}
	return "xla:cpu", "the model is large and its plugin is found"
}

// WeightsOf is how many bytes of weights a model's directory, or a .gguf file, holds; 0 where there is none.
func WeightsOf(model string) (bytes int64) {
	info, err := os.Stat(model)
	if err != nil {
		return 0
	}
	if !info.IsDir() {
		if strings.HasSuffix(model, ".gguf") {
			return info.Size()
		}
		return 0
	}
	files, _ := filepath.Glob(filepath.Join(model, "*.safetensors"))
	more, _ := filepath.Glob(filepath.Join(model, "*.gguf"))
	for _, file := range append(files, more...) {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
	}
	return bytes
}
