package kernel

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
)

// bind is the first cell of each notebook.
const bind = `!*go -C "$GONB_DIR" run github.com/attune-lab/attune/recipes/bind "$PWD"`

var repository = sync.OnceValue(func() string {
	root, err := env.FindRoot(".")
	if err != nil {
		panic(err)
	}
	return root
})

// tools builds the real kernel once for all tests (and once per version on a machine: it stays in the cache folder).
var tools = sync.OnceValues(func() (Tools, error) {
	return BuildTools(context.Background(), repository(), os.Stderr, false)
})

func needKernel(t *testing.T) Tools {
	t.Helper()
	if testing.Short() {
		t.Skip("short: builds and starts GoNB")
	}
	built, err := tools()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// code makes a notebook of code cells.
func code(sources ...string) *notebook.Notebook {
	nb := &notebook.Notebook{Path: "test.ipynb"}
	for _, source := range sources {
		nb.Cells = append(nb.Cells, &notebook.Cell{Type: notebook.Code, Source: source})
	}
	return nb
}

// execution is a notebook run on a kernel of its own.
type execution struct {
	nb    *notebook.Notebook
	err   error
	log   string
	id    string // of the kernel
	saved string
}

func runNotebook(t *testing.T, ctx context.Context, nb *notebook.Notebook, options ExecuteOptions) execution {
	t.Helper()
	built := needKernel(t)
	dir := t.TempDir()
	k, err := Start(ctx, Options{Tools: built, Dir: dir, Env: Environment(GoBackend, built.Dir)})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	options.Log, options.Save, options.Root = &log, filepath.Join(dir, "out.ipynb"), repository()
	started := time.Now()
	err = Execute(ctx, k, nb, options)
	k.Close()
	t.Logf("%.1f s\n%s", time.Since(started).Seconds(), log.String())
	if left := leftovers(k.ID()); len(left) > 0 {
		t.Errorf("processes %v are left behind", left)
	}
	return execution{nb: nb, err: err, log: log.String(), id: k.ID(), saved: options.Save}
}
