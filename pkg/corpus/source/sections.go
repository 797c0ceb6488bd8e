package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/corpus"
)

// sectionEnd closes a row of a .sections file.
const sectionEnd = "@end"

var sectionLine = regexp.MustCompile(`^@([A-Za-z_][A-Za-z0-9_]*):[ \t]?`)

// sectionLines reads rows of "@Name: text" fields that end with "@end":
//
//	@question: What is 1 plus 1?
//	@options:
//	A. 3
//	B. 2
//	@answer: B
//	@end
//
// Names are as they are written. A text runs to the next line that begins with a field or the end; blank lines around it are not part of it.
func sectionLines(path string, text *bufio.Reader, yield func(corpus.Row, error) bool) {
	r := sectionReader{path: path}
	var buffer []byte
	for line := 1; ; line++ {
		var end error
		buffer, end = readLine(text, buffer)
		if r.size += len(buffer); r.size > maxRow {
			end = errTooLong
		}
		if end != nil && !errors.Is(end, io.EOF) {
			yield(corpus.Row{}, fmt.Errorf("%s:%d: %w", path, line, end))
			return
		}
		row, err, done := r.line(line, buffer)
		if done && !yield(row, err) {
			return
		}
		if done {
			r.size = 0
		}
		if end != nil {
			break
		}
	}
	if r.row != nil {
		yield(corpus.Row{}, r.bad(rowError(corpus.OpenSection, "the row's last section, @%s at line %d, never closes: the file ends without %s", r.name, r.nameLine, sectionEnd)))
	}
}

type sectionReader struct {
	path     string
	row      *corpus.Row // nil between rows
	first    string
	name     string // of the open section
	nameLine int
	text     strings.Builder
	size     int   // bytes since the last row
	err      error // the first thing wrong with the row
	skipping bool  // text outside of any row, told once
}

// line takes a line and says whether it ended a row, good or bad.
func (r *sectionReader) line(number int, text []byte) (row corpus.Row, err error, done bool) {
	line := strings.TrimRight(string(text), "\r\n")
	if strings.TrimRight(line, " \t") == sectionEnd && r.row != nil {
		row, err = r.finish()
		return row, err, true
	}
	m := sectionLine.FindStringSubmatch(line)
	if m == nil {
		if r.row != nil {
			if !utf8.Valid(text) && r.err == nil {
				r.err = rowError(corpus.InvalidUTF8, "line %d in section @%s is not valid UTF-8: convert the file to UTF-8", number, r.name)
			}
			r.text.WriteString(line + "\n")
			return corpus.Row{}, nil, false
		}
		if strings.TrimSpace(line) == "" || r.skipping {
			return corpus.Row{}, nil, false
		}
		r.skipping = true
		return corpus.Row{}, at(r.path, number, rowError(corpus.WrongSection, "%s is outside of any row: rows begin with a field such as @question: and end with %s", excerpt(line), sectionEnd)), true
	}
	if r.row != nil && m[1] == r.first { // the next row begins
		err, done = r.bad(rowError(corpus.OpenSection, "the row's last section, @%s at line %d, never closes: the next row begins at line %d without %s", r.name, r.nameLine, number, sectionEnd)), true
		r.row = nil
	}
	if r.row == nil {
		row := newRow()
		row.File, row.Line = r.path, number
		r.row = &row
		r.first, r.err, r.skipping = m[1], nil, false
	} else {
		r.close()
		if r.has(m[1]) && r.err == nil {
			r.err = rowError(corpus.WrongSection, "section @%s comes again at line %d: a row has each field once", m[1], number)
		}
	}
	r.name, r.nameLine = m[1], number
	if !utf8.Valid(text) && r.err == nil {
		r.err = rowError(corpus.InvalidUTF8, "line %d in section @%s is not valid UTF-8: convert the file to UTF-8", number, r.name)
	}
	r.text.Reset()
	r.text.WriteString(line[len(m[0]):] + "\n")
	return corpus.Row{}, err, done
}

func (r *sectionReader) has(name string) bool {
	_, text := r.row.Text[name]
	_, list := r.row.Lists[name]
	return text || list
}

// close puts the open section into the row.
func (r *sectionReader) close() {
	text := strings.Trim(r.text.String(), "\r\n\t ")
	if list, ok := listOf(text); ok {
		r.row.Lists[r.name] = list
		return
	}
	r.row.Text[r.name] = text
}

func (r *sectionReader) finish() (corpus.Row, error) {
	r.close()
	row, err := *r.row, r.err
	r.row = nil
	if err != nil {
		return corpus.Row{}, at(row.File, row.Line, err)
	}
	return row, nil
}

func (r *sectionReader) bad(err error) error { return at(r.path, r.row.Line, err) }

// listOf reads lines "A. ...", "B. ..." as a list; ok is false if the text is anything else or has one line only.
func listOf(text string) (list []string, ok bool) {
	for line := range strings.Lines(text) {
		option, is := strings.CutPrefix(strings.TrimRight(line, "\n"), corpus.Letter(len(list))+". ")
		if !is {
			return nil, false
		}
		list = append(list, option)
	}
	return list, len(list) > 1
}
