package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// kernelspec is a Jupyter kernel's kernel.json. https://jupyter-client.readthedocs.io/en/latest/kernels.html#kernel-specs
type kernelspec struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
}

// SpecOptions say which kernel InstallSpec installs.
type SpecOptions struct {
	Root    string
	Backend string // of the notebooks; "": "go"
	DataDir string // Jupyter's data folder; "": JupyterDataDir()
}

// InstallSpec installs the pinned kernel for Jupyter under the name "gonb", which notebooks carry in their metadata, and
// returns its folder. It is what `gonb --install --raw_error` writes, except that the binaries are
// those that go.mod pins, copied beside kernel.json so that clearing the cache does not break Jupyter, and that the environment is that of a
// headless run: the same packages are not compiled twice. An earlier kernel.json is kept as kernel.json~.
func InstallSpec(ctx context.Context, tools Tools, options SpecOptions) (string, error) {
	if options.Backend == "" {
		options.Backend = GoBackend
	}
	data := options.DataDir
	if data == "" {
		var err error
		if data, err = JupyterDataDir(); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(data, "kernels", "gonb")
	binaries := filepath.Join(dir, "bin")
	if err := os.MkdirAll(binaries, 0o755); err != nil {
		return "", fmt.Errorf("Jupyter's folder for the kernel: %w (set JUPYTER_DATA_DIR to one that can be written)", err)
	}
	for _, from := range []string{tools.Gonb, tools.Goimports, tools.Gopls} {
		if from == tools.Gopls && !isFile(from) {
			continue // cells run without it, only completion is missing
		}
		if err := copyExecutable(from, filepath.Join(binaries, filepath.Base(from))); err != nil {
			return "", fmt.Errorf("installing the kernel: %w", err)
		}
	}
	variables := environmentOverrides(options.Backend)
	variables["PATH"] = kernelPath(binaries)
	spec := kernelspec{
		Argv: []string{filepath.Join(binaries, filepath.Base(tools.Gonb)), "--kernel", "{connection_file}", "--raw_error",
			// Its log goes to a file: nbconvert prints what a kernel writes to standard error, and informations in colour look like failures.
			"--logtostderr=false", "--stderrthreshold=FATAL", "--log_file=" + filepath.Join(dir, "gonb.log"), "--log_file_max_size=1"},
		DisplayName:   "Go (gonb)",
		Language:      "go",
		InterruptMode: "message",
		Env:           variables,
	}
	text, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "kernel.json")
	if isFile(file) {
		if err := os.Rename(file, file+"~"); err != nil {
			return "", fmt.Errorf("keeping the earlier kernel.json: %w", err)
		}
	}
	if err := env.WriteBytes(file, 0o666, append(text, '\n')); err != nil {
		return "", fmt.Errorf("installing the kernel: %w", err)
	}
	copyLogo(ctx, options.Root, dir)
	return dir, nil
}

// kernelPath is the kernel's PATH: its own tools, then the present one, which holds the go command, then whatever
// Jupyter has when it starts the kernel (it fills in ${PATH}).
func kernelPath(binaries string) string {
	separator := string(os.PathListSeparator)
	path := binaries
	if gobin, err := exec.LookPath("go"); err == nil {
		path += separator + filepath.Dir(gobin)
	}
	return path + separator + "${PATH}"
}

// JupyterDataDir is Jupyter's folder for the user's kernels: JUPYTER_DATA_DIR, else the system's usual one.
// https://docs.jupyter.org/en/latest/use/jupyter-directories.html#data-files
func JupyterDataDir() (string, error) {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if runtime.GOOS == "windows" && os.Getenv("APPDATA") != "" {
		return filepath.Join(os.Getenv("APPDATA"), "jupyter"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no folder for Jupyter's kernels: %w; set JUPYTER_DATA_DIR", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Jupyter"), nil
	}
	if share := os.Getenv("XDG_DATA_HOME"); share != "" {
		return filepath.Join(share, "jupyter"), nil
	}
	return filepath.Join(home, ".local", "share", "jupyter"), nil
}

// copyExecutable copies through a temporary file: a running kernel keeps its binary.
func copyExecutable(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return env.WriteFile(to, 0o777, func(out io.Writer) error {
		_, err := io.Copy(out, in)
		return err
	})
}

// copyLogo takes the picture that Jupyter shows for the kernel from GoNB's sources. Without it Jupyter shows a letter.
func copyLogo(ctx context.Context, root, dir string) {
	module, err := goOutput(ctx, root, "list", "-m", "-f", "{{.Dir}}", gonbModule)
	if err != nil {
		return
	}
	svg, err := os.ReadFile(filepath.Join(strings.TrimSpace(module), "internal", "kernel", "Go_gopher_favicon.svg"))
	if err == nil {
		os.WriteFile(filepath.Join(dir, "logo-svg.svg"), svg, 0o644)
	}
}
