package pkg

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	goBlock   = regexp.MustCompile("(?s)```go\n(.*?)```")
	jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")
	pathName  = regexp.MustCompile("(?:\\]\\(|`|\\./)((?:pkg|docs|recipes|notebooks|testdata)/[A-Za-z0-9_./-]*[A-Za-z0-9_])[`) \n]")
	imports   = regexp.MustCompile(`(?ms)^import (?:"[^"]*"|\(.*?^\))\n?`)
)

// cellsOf are the cells that a page shows: those of the notebooks that it writes out as JSON, and its Go blocks.
func cellsOf(t *testing.T, page string) (cells []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range jsonBlock.FindAllSubmatch(text, -1) {
		var notebook struct {
			Cells []struct {
				Source []string `json:"source"`
			} `json:"cells"`
		}
		if err := json.Unmarshal(block[1], &notebook); err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		for _, c := range notebook.Cells {
			cells = append(cells, strings.Join(c.Source, ""))
		}
	}
	for _, block := range goBlock.FindAllSubmatch(text, -1) {
		cells = append(cells, string(block[1]))
	}
	return cells
}

// program puts cells together as GoNB does: imports and declarations of all of them, and a function of what follows "%%" in each.
func program(cells []string) string {
	var head, declarations, mains strings.Builder
	seen := map[string]bool{}
	for i, cell := range cells {
		if strings.HasPrefix(cell, "!") {
			continue
		}
		for _, block := range imports.FindAllString(cell, -1) {
			if !seen[block] {
				head.WriteString(block + "\n")
			}
			seen[block] = true
		}
		declared, run, ok := strings.Cut(imports.ReplaceAllString(cell, ""), "%%\n")
		declarations.WriteString(declared + "\n")
		if ok {
			fmt.Fprintf(&mains, "func cell%d() {\n%s\n}\n", i, run)
		}
	}
	return "package main\n" + head.String() + declarations.String() + mains.String() + "func main() {}\n"
}

// What the guide for agents and the README show compiles against the packages as they are.
func TestCellsThatPagesShowCompile(t *testing.T) {
	for _, page := range []string{"AGENTS.md", "README.md"} {
		cells := cellsOf(t, filepath.Join("..", page))
		if len(cells) == 0 {
			t.Errorf("%s shows no cell", page)
			continue
		}
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program(cells)), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "vet", file)
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}

// Paths that the pages name in the repository exist, so that a move takes its documentation with it.
func TestPathsThatPagesNameExist(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md", "../AGENTS.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := pathName.FindAllSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s names no path", page)
		}
		for _, name := range found {
			path := filepath.Join("..", string(name[1]))
			if _, err := os.Stat(path); err == nil {
				continue
			}
			if _, err := os.Stat(strings.TrimSuffix(path, filepath.Ext(path))); err == nil && strings.HasPrefix(string(name[1]), "pkg/") {
				continue // a package's identifier: pkg/model.Families
			}
			if string(name[1]) == "notebooks/pattern-or-size.ipynb" {
				continue // what AGENTS.md tells its reader to write
			}
			t.Errorf("%s names %s, which does not exist", page, name[1])
		}
	}
}
