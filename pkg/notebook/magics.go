package notebook

import (
	"go/scanner"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// WithoutMagics blanks the lines that GoNB takes for itself (`%goflags ...`, `!ls`), keeping offsets.
func WithoutMagics(source string) string {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		if IsMagic(line) {
			lines[i] = strings.Repeat(" ", len(line))
		}
	}
	return strings.Join(lines, "\n")
}

// IsMagic reports whether GoNB treats a line of a Go cell as a command. GoNB also accepts it behind `//gonb:`.
func IsMagic(line string) bool {
	line = strings.TrimPrefix(line, "//gonb:")
	return len(line) > 1 && (line[0] == '%' || line[0] == '!')
}

var shellCell = regexp.MustCompile(`^(?://gonb:)?%%(?:bash|sh|script)\b`)

// IsShellCell reports whether a shell runs the whole cell.
func IsShellCell(source string) bool { return shellCell.MatchString(source) }

// Imports lists the packages that the notebook's cells import, sorted.
func (nb *Notebook) Imports() []string {
	found := map[string]bool{}
	for _, cell := range nb.Cells {
		if !cell.Executable() || IsShellCell(cell.Source) || strings.HasPrefix(cell.Source, "%%writefile") {
			continue
		}
		for _, path := range importsOf(WithoutMagics(cell.Source)) {
			found[path] = true
		}
		if strings.Contains(cell.Source, "%test") {
			found["testing"] = true
		}
	}
	delete(found, "C")
	return slices.Sorted(maps.Keys(found))
}

// importsOf scans for import declarations. A cell need not parse as a file: GoNB allows statements behind %%.
func importsOf(source string) (paths []string) {
	var s scanner.Scanner
	files := token.NewFileSet()
	s.Init(files.AddFile("cell", -1, len(source)), []byte(source), func(token.Position, string) {}, 0)
	inImport, inBlock := false, false
	for {
		_, tok, literal := s.Scan()
		switch {
		case tok == token.EOF:
			return paths
		case tok == token.IMPORT:
			inImport = true
		case inImport && tok == token.LPAREN:
			inBlock = true
		case inImport && tok == token.STRING:
			if path, err := strconv.Unquote(literal); err == nil {
				paths = append(paths, path)
			}
			inImport = inBlock
		case inImport && tok == token.RPAREN:
			inImport, inBlock = false, false
		}
	}
}
