// Command bind ties the module that GoNB compiles a notebook's cells in to the checkout that the notebook lies in, and compiles what the cells import. It is the
// first cell of each notebook:
//
//	!*go -C "$GONB_DIR" run github.com/attune-lab/attune/recipes/bind "$PWD"
//
// Cells then import the checkout's packages with the versions that its go.mod pins, offline and in any folder. Executed again it changes nothing, so that gopls
// keeps working; after an edit of go.mod it binds again.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/gobuild"
)

const module = "github.com/attune-lab/attune"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: go -C \"$GONB_DIR\" run %s/recipes/bind \"$PWD\"\n", module)
		os.Exit(2)
	}
	root, err := findRoot()
	if err == nil {
		err = bind(root, os.Args[1])
	}
	if err == nil {
		err = gobuild.Build{Dir: root, Packages: imports(root, "."), Label: "compiling what cells import", Log: os.Stdout, Terminal: true, Quiet: true}.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+(\S+).*$`)

// findRoot is the folder of the module's go.mod, above the working directory: that is where `go -C` has put this process.
func findRoot() (string, error) {
	here, err := os.Getwd()
	for dir := here; err == nil; dir = filepath.Dir(dir) {
		text, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
		if m := moduleLine.FindSubmatch(text); m != nil && string(m[1]) == module {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			err = fmt.Errorf("no checkout of %s above %s: put the notebook into one", module, here)
		}
	}
	return "", err
}

// bind writes go.mod and go.sum of the cells' module, unless they are bound to the checkout as it is.
func bind(root, cells string) error {
	pins, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	replace := fmt.Sprintf("replace %s => %q", module, filepath.ToSlash(root))
	state := fmt.Appendf(nil, "%s\n%x\n", replace, sha256.Sum256(append(pins, sums...)))
	bound, mod := filepath.Join(cells, "attune.bound"), filepath.Join(cells, "go.mod")
	earlier, _ := os.ReadFile(bound)
	present, _ := os.ReadFile(mod) // `go get` of a cell adds to it, `%reset go.mod` makes a new one
	if bytes.Equal(earlier, state) && bytes.Contains(present, []byte(module+" =>")) {
		return nil
	}
	text := moduleLine.ReplaceAllString(string(pins), "module "+module+"/gonb_cells") + fmt.Sprintf("\nrequire %s v0.0.0\n\n%s\n", module, replace)
	for _, file := range []struct {
		path    string
		content []byte
	}{{mod, []byte(text)}, {filepath.Join(cells, "go.sum"), sums}, {bound, state}} {
		if err := os.WriteFile(file.path, file.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// imported finds imports of cells in a notebook's JSON: the checkout's packages and GoNB's.
var imported = regexp.MustCompile(`\\"(github\.com/(?:attune-lab/attune/pkg|janpfeifer/(?:gonb|must))[\w./-]*)\\"`)

// imports are the packages that cells of the folder's notebooks import, and the worker.
func imports(root, folder string) (packages []string) {
	notebooks, _ := filepath.Glob(filepath.Join(folder, "*.ipynb"))
	for _, path := range notebooks {
		text, _ := os.ReadFile(path)
		for _, m := range imported.FindAllSubmatch(text, -1) {
			packages = append(packages, string(m[1]))
		}
	}
	// Under the command, which sets the variable, the worker is built before the first cell.
	if _, err := os.Stat(filepath.Join(root, "recipes", "work")); err == nil && os.Getenv("ATTUNE_RUN_DIR") == "" {
		packages = append(packages, "./recipes/work")
	}
	slices.SortFunc(packages, strings.Compare)
	return slices.Compact(packages)
}
