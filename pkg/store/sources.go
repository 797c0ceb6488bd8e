package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// computing are the rooms that results come from; what they import computes, too.
var computing = []string{"pkg/eval", "pkg/reason", "pkg/sink"}

// Sources identifies the code that computes: SHA-256, in hexadecimal, over go.mod, go.sum and the sources of the rooms that results come from and of all that they import
// in this module, of every platform; tests and test data are left out. Neither the commit nor what is not committed is part of it: an edited README loses no result.
func Sources(root string) (string, error) {
	rooms, err := rooms(root)
	if err != nil {
		return "", fmt.Errorf("store: sources that compute: %w", err)
	}
	files := []string{"go.mod", "go.sum"}
	for _, room := range rooms {
		entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(room)))
		if err != nil {
			return "", fmt.Errorf("store: sources that compute: %w", err)
		}
		for _, e := range entries {
			if e.Type().IsRegular() && !strings.HasSuffix(e.Name(), "_test.go") && !strings.HasPrefix(e.Name(), ".") {
				files = append(files, path.Join(room, e.Name()))
			}
		}
	}
	hash := sha256.New()
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return "", fmt.Errorf("store: sources that compute: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n", name, len(text))
		hash.Write(text)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// rooms are the folders of the computing packages and of all that they import in this module, sorted, slash-separated.
func rooms(root string) ([]string, error) {
	seen := map[string]bool{}
	queue := slices.Clone(computing)
	for len(queue) > 0 {
		room := queue[0]
		queue = queue[1:]
		if seen[room] {
			continue
		}
		seen[room] = true
		imports, err := importsOf(filepath.Join(root, filepath.FromSlash(room)))
		if err != nil {
			return nil, err
		}
		queue = append(queue, imports...)
	}
	found := make([]string, 0, len(seen))
	for room := range seen {
		found = append(found, room)
	}
	slices.Sort(found)
	return found, nil
}

// importsOf lists the folders of this module that a folder's sources import.
func importsOf(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, &fs.PathError{Op: "read", Path: dir, Err: errors.New("it holds no Go source")}
	}
	var imports []string
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			if own, ok := strings.CutPrefix(name, env.Module+"/"); ok {
				imports = append(imports, own)
			}
		}
	}
	return imports, nil
}
