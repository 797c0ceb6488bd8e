package cluster

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// carried are the variables of the submitter that decide what is computed, or where models and plugins are found. A script sets them anew, whatever the node has.
var carried = []string{env.XLAFlags, "PJRT_PLUGIN_LIBRARY_PATH", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "XDG_CACHE_HOME", "GOFLAGS", "GOMODCACHE", "GOCACHE", "GOPATH"}

// WriteScripts writes what every part and the last job execute, by Slurm or as a process of this machine. environment, NAME=VALUE, is that of the backend.
func (s *Submission) WriteScripts(environment []string) error {
	head := "#!/bin/bash\n# " + s.Recipe + " in parts; written by submit\nset -eu\n"
	for _, entry := range slices.Sorted(slices.Values(environment)) {
		name, value, ok := strings.Cut(entry, "=")
		if ok && (slices.Contains(carried, name) || name == env.Backend || name == "GOMLX_NO_AUTO_INSTALL") {
			head += fmt.Sprintf("export %s=%s\n", name, quote(value))
		}
	}
	head += fmt.Sprintf("export %s=%s\ncd %s\n", env.CallerDir, quote(s.Caller), quote(s.Caller))
	for _, script := range []struct{ name, command string }{
		{"part.sh", fmt.Sprintf("exec %s --submission %s --part \"${1:-${SLURM_ARRAY_TASK_ID:?expected the number of a part}}\"\n", quote(s.Worker()), quote(s.dir))},
		{"finish.sh", fmt.Sprintf("exec %s finish %s\n", quote(s.Recipes()), quote(s.dir))},
	} {
		if err := env.WriteBytes(s.path(script.name), 0o755, []byte(head+script.command)); err != nil {
			return err
		}
	}
	return os.MkdirAll(s.path("log"), 0o755)
}

// Log is the file of what a part's executions print, one after the other; part 0 is the last job.
func (s *Submission) Log(part int) string {
	if part == 0 {
		return s.path("log", "finish.log")
	}
	return s.path("log", fmt.Sprintf("part-%d.log", part))
}

// quote writes a word so that a shell reads it as it is.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
