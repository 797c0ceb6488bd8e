package env

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// Module is the path of the repository's module; the scratch module that GoNB compiles cells in has another.
const Module = "github.com/attune-lab/attune"

// Root is the repository: the nearest checkout above the directory of the caller (ATTUNE_CALLER_DIR), the working directory or the notebook's folder (GONB_DIR), in
// this order.
func Root() (string, error) {
	starts := []string{os.Getenv(CallerDir)}
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	starts = append(starts, os.Getenv(GonbDir))
	for _, dir := range starts {
		if dir == "" {
			continue
		}
		if root, err := FindRoot(dir); err == nil {
			return root, nil
		}
	}
	return "", fmt.Errorf("found no checkout of %s above %q: run this from inside one", Module, starts)
}

// FindRoot is the repository that a directory lies in: the nearest folder, from dir upwards, whose go.mod declares Module.
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if b, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil && modfile.ModulePath(b) == Module {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("found no go.mod of %s in %s or above it: run this from inside the repository", Module, dir)
		}
	}
}
