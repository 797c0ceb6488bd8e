package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
)

// bind is the first cell of each notebook.
const bind = `!*go -C "$GONB_DIR" run github.com/attune-lab/attune/recipes/bind "$PWD"`

func repository(t *testing.T) string {
	t.Helper()
	root, err := env.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// code makes a notebook of code cells, for a kernel that tests without -short build.
func code(t *testing.T, sources ...string) *notebook.Notebook {
	t.Helper()
	if testing.Short() {
		t.Skip("short: builds and starts GoNB")
	}
	nb := &notebook.Notebook{}
	for _, source := range sources {
		nb.Cells = append(nb.Cells, &notebook.Cell{Type: notebook.Code, Source: source})
	}
	return nb
}

// outputsText joins the texts of a cell's streams.
func outputsText(cell *notebook.Cell) (all string) {
	for _, output := range cell.Outputs {
		text, _ := notebook.JoinLines(output["text"])
		all += text
	}
	return all
}

func TestDisplaysAndProgressLinesAreSavedAsShown(t *testing.T) {
	nb := code(t, bind, `import (
	"fmt"
	"time"
	"github.com/janpfeifer/gonb/gonbui"
)
%%
for i := range 5 {
	fmt.Printf("\rstep %d of 5", i+1)
	time.Sleep(20 * time.Millisecond)
}
fmt.Println()
gonbui.DisplayPNG([]byte("\x89PNG not really"))
gonbui.UpdateHTML("status", "<b>begun</b>")
gonbui.UpdateHTML("status", "<b>done</b>")
gonbui.Sync()`)
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("testdata", "a path with spaces ") // below the repository: the cells bind to it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	dir, err = filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a notebook.ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	result, err := Run(t.Context(), Options{Root: repository(t), Path: path, Dir: filepath.Join(t.TempDir(), "out put"), Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	saved, err := notebook.Read(result.Notebook)
	if err != nil {
		t.Fatal(err)
	}
	outputs := saved.Cells[1].Outputs
	if text := outputsText(saved.Cells[1]); text != "step 5 of 5\n" {
		t.Errorf("the saved stream is %q", text)
	}
	var png, html string
	for _, output := range outputs {
		data, _ := output["data"].(map[string]any)
		if text, ok := data["image/png"].(string); ok {
			png = text
		}
		if text, ok := notebook.JoinLines(data["text/html"]); ok {
			html += text
		}
	}
	if png == "" || html != "<b>done</b>" {
		t.Errorf("png %q, html %q in %v", png, html, outputs)
	}
}

func TestRunGivesParametersToTheCells(t *testing.T) {
	nb := code(t, "const (\n\tname = \"attune\" // a name\n\tlimit = 200 // items\n\trate = 0.5\n\tquick = false\n)\nconst single = 1",
		"import (\"fmt\"; \"os\")\n%%\nfmt.Println(name, limit, rate, quick, single)\nfmt.Println(os.Getenv(\"ATTUNE_PARAMETERS\"), os.Getenv(\"ATTUNE_BACKEND\"), os.Getenv(\"ATTUNE_RECIPE\"))")
	nb.Cells[0].Metadata = map[string]any{"tags": []any{"parameters"}}
	path := filepath.Join(t.TempDir(), "taker.ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		overrides notebook.Overrides
		want      string
	}{
		{nil, "attune 200 0.5 false 1\n"},
		{notebook.Overrides{"name": "first of the block"}, "first of the block 200 0.5 false 1\n"},
		{notebook.Overrides{"limit": "-7", "single": "9"}, "attune -7 0.5 false 9\n"},
		{notebook.Overrides{"rate": "2", "quick": "true"}, "attune 200 2 true 1\n"},
	} {
		result, err := Run(t.Context(), Options{Root: repository(t), Path: path, Overrides: test.overrides, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		saved, err := notebook.Read(result.Notebook)
		if err != nil {
			t.Fatal(err)
		}
		printed := outputsText(saved.Cells[len(saved.Cells)-1])
		if !strings.HasPrefix(printed, test.want) || !strings.HasSuffix(printed, "go taker\n") {
			t.Errorf("with %v the cell printed %q, expected %q", test.overrides, printed, test.want)
		}
	}
}
