package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/notebook"
)

// The pinned kernel serves Jupyter, too: nbconvert executes a notebook that is bound to this checkout.
func TestNbconvertExecutesOnTheInstalledKernel(t *testing.T) {
	built := needKernel(t)
	nbconvert, err := exec.LookPath("jupyter-nbconvert")
	if err != nil {
		t.Skip("jupyter-nbconvert is not installed (Debian: apt install --no-install-recommends jupyter-nbconvert)")
	}
	data := filepath.Join(t.TempDir(), "jupyter data")
	dir, err := InstallSpec(t.Context(), built, SpecOptions{Root: repository(), DataDir: data})
	if err != nil {
		t.Fatal(err)
	}
	if dir != filepath.Join(data, "kernels", "gonb") {
		t.Errorf("installed in %s", dir)
	}
	nb := code(bind, "import (\"fmt\"; \"os\"; \"github.com/attune-lab/attune/pkg/notebook\")\n%%\nfmt.Println(notebook.Nearest(\"quikstart\", []string{\"quickstart\"}), os.Getenv(\"CGO_ENABLED\"))")
	nb.Metadata = map[string]any{
		"kernelspec":    map[string]any{"name": "gonb", "display_name": "Go (gonb)", "language": "go"},
		"language_info": map[string]any{"name": "go"},
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	inside, err := os.MkdirTemp("testdata", "nbconvert ") // the binding looks for go.mod above the notebook
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(inside) })
	path := filepath.Join(inside, "small.ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nbconvert, "--to", "notebook", "--execute", "--output", "executed", path)
	cmd.Env = append(os.Environ(), "JUPYTER_DATA_DIR="+data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nbconvert: %v\n%s", err, out)
	}
	executed, err := notebook.Read(filepath.Join(inside, "executed.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	if text := outputsText(executed.Cells[1]); strings.TrimSpace(text) != "quickstart 0" {
		t.Errorf("the cell printed %q", text)
	}

	// What Jupyter wrote comes back byte for byte.
	before, err := os.ReadFile(filepath.Join(inside, "executed.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := executed.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != string(before) {
		t.Errorf("Jupyter wrote\n%s\nand it comes back as\n%s", before, after)
	}
}
