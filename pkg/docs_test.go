package pkg

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Every package says what it is for, beginning with its name, and shows by a compiled example how it is used. Packages that hold nothing but tests are none.
func TestPackagesHaveACommentAndAnExample(t *testing.T) {
	type found struct{ code, comment, example bool }
	packages := map[string]*found{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "internal"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		p := packages[filepath.Dir(path)]
		if p == nil {
			p = &found{}
			packages[filepath.Dir(path)] = p
		}
		if !strings.HasSuffix(path, "_test.go") {
			p.code = true
			p.comment = p.comment || strings.HasPrefix(file.Doc.Text(), "Package "+file.Name.Name+" ")
			return nil
		}
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			p.example = p.example || ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, p := range packages {
		if p.code && !p.comment {
			t.Errorf("package %s has no package comment that begins with \"Package NAME \"", dir)
		}
		if p.code && !p.example {
			t.Errorf("package %s has no Example: add one to an example_test.go; it is compiled and, with an Output, run", dir)
		}
	}
}
