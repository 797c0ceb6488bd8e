package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
)

// GoBackend is the backend that needs no C compiler, the default.
const GoBackend = env.GoBackend

// Backends are the names that --backend takes.
var Backends = []string{GoBackend, "xla:cuda", "xla:cpu"}

// CheckBackend refuses a name that is not a backend. XLA plugins take options behind a comma ("xla:cuda,tf32=true").
func CheckBackend(name string) error {
	plain, _, _ := strings.Cut(name, ",")
	if slices.Contains(Backends, plain) {
		return nil
	}
	hint := ""
	if near := notebook.Nearest(plain, append([]string{"xla", "cuda", "cpu"}, Backends...)); near != "" && !slices.Contains(Backends, near) {
		hint = "; XLA's are written xla:PLUGIN"
	}
	return fmt.Errorf("no such backend %q%s: use one of %s", name, hint, strings.Join(Backends, ", "))
}

// Environment is the environment in which cells are compiled and run, and packages are built ahead for them: what differs here
// would be compiled again in the first cell.
//
//   - GOEXPERIMENT=simd on amd64: the Go backend is up to twice as fast with it.
//   - CGO_ENABLED=0 for the Go backend (no C compiler, quick links), 1 for XLA.
//   - GOWORK=off: cells are compiled in a temporary folder, which no go.work of the user's covers.
//   - GOFLAGS with -ldflags=-s: cells are linked without what debuggers read, in two thirds of the time. A panic's trace does not need it.
//   - GOMLX_NO_AUTO_INSTALL=1: nothing is downloaded behind a run's back.
//   - binaries (the folder with gonb and goimports; "" for none) first in PATH: GoNB looks goimports up there.
func Environment(backend, binaries string) []string {
	set := environmentOverrides(backend)
	if binaries != "" {
		set["PATH"] = binaries + string(os.PathListSeparator) + os.Getenv("PATH")
	}
	return withEntries(os.Environ(), set)
}

// environmentOverrides are the entries of Environment except PATH; a kernelspec carries them, too.
func environmentOverrides(backend string) map[string]string {
	set := map[string]string{
		env.Backend:             backend,
		"CGO_ENABLED":           "1",
		"GOWORK":                "off",
		"GOFLAGS":               goFlags(),
		"GOMLX_NO_AUTO_INSTALL": "1",
	}
	if backend == GoBackend {
		set["CGO_ENABLED"] = "0"
	}
	if runtime.GOARCH == "amd64" {
		experiments := strings.FieldsFunc(os.Getenv("GOEXPERIMENT"), func(r rune) bool { return r == ',' })
		if !slices.Contains(experiments, "simd") {
			experiments = append(experiments, "simd")
		}
		set["GOEXPERIMENT"] = strings.Join(experiments, ",")
	}
	return set
}

// goFlags are the user's flags of the go command, and that for quick links where they have no flags of the linker.
func goFlags() string {
	flags, set := os.LookupEnv("GOFLAGS")
	if !set { // `go env -w GOFLAGS=...` keeps them in a file
		out, err := exec.Command("go", "env", "GOFLAGS").Output()
		if err == nil {
			flags = strings.TrimSpace(string(out))
		}
	}
	if strings.Contains(flags, "-ldflags") {
		return flags
	}
	return strings.TrimSpace(flags + " -ldflags=-s")
}

// withEntries replaces entries of an environment.
func withEntries(env []string, set map[string]string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := set[name]
		return replaced
	})
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// CCompiler finds the C compiler that cgo would use, from CC or Go's default.
func CCompiler() (string, error) {
	out, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		return "", fmt.Errorf("go env CC: %w", err)
	}
	words := strings.Fields(string(out))
	if len(words) == 0 {
		return "", fmt.Errorf("go env CC is empty: install gcc or clang, or set CC")
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return "", fmt.Errorf("the C compiler %q is not installed (Debian: apt install gcc libc6-dev)", words[0])
	}
	return path, nil
}
