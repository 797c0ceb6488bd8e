//go:build cgo

package backend

import (
	"fmt"
	"os"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"

	"github.com/attune-lab/attune/pkg/env"
)

func xlaNames() []string { return []string{"xla:cuda", "xla:cpu"} }

// openXLA opens "xla:PLUGIN[,option=value...]". Float32 products are computed in float32: tf32, go-xla's default
// on CUDA, is off unless the name asks for it. Automatic installation is disabled: a run must not download. The CPU plugin opens as many devices as
// are asked for.
func openXLA(name string, devices int) (b compute.Backend, err error) {
	plugin, ok := strings.CutPrefix(name, "xla:")
	if !ok || plugin == "" {
		return nil, fmt.Errorf("backend %q: say which plugin, one of %s", name, strings.Join(xlaNames(), ", "))
	}
	if !strings.Contains(plugin, "tf32") {
		plugin += ",tf32=false"
	}
	var options pjrt.NamedValuesMap
	switch base, _, _ := strings.Cut(plugin, ","); {
	case pjrt.IsCUDAName(base):
		addFlags(cudaFlags()...)
		if os.Getenv(cudaOrder) == "" {
			os.Setenv(cudaOrder, "PCI_BUS_ID") // as nvidia-smi and Slurm number cards, see Describe
		}
	case strings.HasPrefix(base, "cpu"):
		plugin = installed(plugin)
		if devices > MaxDevices {
			return nil, fmt.Errorf("backend %q: %d devices, expected at most %d", name, devices, MaxDevices)
		}
		options = pjrt.NamedValuesMap{"cpu_device_count": int64(devices)} // plugins open several otherwise, which split the machine's cores
	}
	xla.EnableAutoInstall(false)
	if os.Getenv("TF_CPP_MIN_LOG_LEVEL") == "" {
		os.Setenv("TF_CPP_MIN_LOG_LEVEL", "2") // XLA's information lines would land in notebooks
	}
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, fmt.Errorf("backend %q: %v", name, r)
		}
	}()
	b, err = xla.NewWithOptions(plugin, options)
	if err != nil {
		return nil, fmt.Errorf("backend %q does not load: %w (set PJRT_PLUGIN_LIBRARY_PATH to the folder of a PJRT plugin, such as the one JAX ships, or run `go run ./recipes plugin cpu` for xla:cpu; `go run ./recipes doctor` lists what is found)", name, err)
	}
	return b, nil
}

// installed is the CPU plugin's path, with the options behind its name, where it is in the cache folder, in which go-xla does not look.
func installed(plugin string) string {
	for name := range pjrt.AvailablePlugins() {
		if strings.HasPrefix(name, "cpu") {
			return plugin
		}
	}
	path := env.FindCPUPlugin()
	if path == "" {
		return plugin
	}
	_, options, _ := strings.Cut(plugin, ",")
	return path + "," + options
}
