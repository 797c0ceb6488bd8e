package env

import (
	"fmt"
	"os"
	"strings"
)

// GoBackend is the name of the backend that needs neither a C compiler nor a plugin.
const GoBackend = "go"

// xlaAliases are the names under which GoMLX registers XLA.
var xlaAliases = []string{"xla:", "stablehlo:", "shlo:", "hlo:", "pjrt:"}

// BackendName is the backend that the environment names: ATTUNE_BACKEND as it stands, else GOMLX_BACKEND in Attune's words; "" where neither is set. A value of
// GOMLX_BACKEND that Attune cannot honour is an error, never ignored.
func BackendName() (string, error) {
	if name := os.Getenv(Backend); name != "" {
		return name, nil
	}
	name := os.Getenv(GoMLXBackend)
	switch {
	case name == "" || name == GoBackend:
		return name, nil
	case strings.HasPrefix(name, GoBackend+":"):
		return "", fmt.Errorf("%s=%q: Attune opens the Go backend with options of its own, under which large matrix products do not deadlock: set it to %q, or unset it", GoMLXBackend, name, GoBackend)
	}
	for _, alias := range xlaAliases {
		if plugin, ok := strings.CutPrefix(name, alias); ok && plugin != "" {
			return "xla:" + plugin, nil
		}
	}
	return "", fmt.Errorf("%s=%q names no backend that Attune opens: set it to %q, \"xla:cuda\" or \"xla:cpu\", or unset it", GoMLXBackend, name, GoBackend)
}
