package notebook

import (
	"slices"
	"testing"
)

func TestImportsOfCells(t *testing.T) {
	nb := code(
		"!import \"no/shell\"",
		"import (\n\t\"fmt\"\n\t. \"github.com/janpfeifer/must\"\n\tx \"example.com/x\" // \"no/comment\"\n)\nconst s = `import \"no/string\"`",
		"%test\nimport \"os\"\nfunc f() { important := \"no/literal\" }",
		"%%bash\nimport \"no/bash\"",
		"%%writefile a.go\nimport \"no/file\"",
		"import \"unterminated")
	want := []string{"example.com/x", "fmt", "github.com/janpfeifer/must", "os", "testing"}
	if got := nb.Imports(); !slices.Equal(got, want) {
		t.Errorf("found %q, expected %q", got, want)
	}
}
