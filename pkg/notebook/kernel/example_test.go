package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
)

// A notebook is executed cell by cell; the first one that fails ends the run and is named.
func Example() {
	ctx := context.Background()
	root, err := env.Root()
	if err != nil {
		fmt.Println(err)
		return
	}
	tools, err := kernel.BuildTools(ctx, root, os.Stderr, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	k, err := kernel.Start(ctx, kernel.Options{Tools: tools, Env: kernel.Environment(kernel.GoBackend, tools.Dir)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer k.Close()
	nb := &notebook.Notebook{Path: "sums.ipynb", Cells: []*notebook.Cell{
		{Type: notebook.Markdown, Source: "# Sums"},
		{Type: notebook.Code, Source: "import \"fmt\"\n%%\nfmt.Println(1 + 1)"},
		{Type: notebook.Code, Source: "import \"os\"\n%%\nos.Exit(3)"},
	}}
	var failed *kernel.CellError
	if err := kernel.Execute(ctx, k, nb, kernel.ExecuteOptions{}); errors.As(err, &failed) {
		fmt.Println(failed.Number, failed.Heading, failed.Reason)
	}
	text, _ := notebook.JoinLines(nb.Cells[1].Outputs[0]["text"])
	fmt.Print(text)
	// Output:
	// 2 Sums the cell's program failed: exit status 3
	// 2
}
