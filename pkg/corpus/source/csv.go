package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// csvReader reads records of RFC 4180 from UTF-8 text. It differs from encoding/csv in what people's files need: a line may end in LF, CR LF or CR
// alone; a line end inside quotes stays as it is in the file (Python's csv module and pandas keep it too, and published prompts depend on it); a
// record is bounded.
type csvReader struct {
	text  *bufio.Reader
	comma byte
	line  int    // of the next byte, from 1
	size  int    // bytes of the record so far
	last  byte   // read last in this file; so that CR LF is one line end
	field []byte // of the open field
}

func newCSV(text *bufio.Reader, comma byte) *csvReader {
	return &csvReader{text: text, comma: comma, line: 1}
}

// next is the next byte. It counts lines.
func (r *csvReader) next() (byte, error) {
	c, err := r.text.ReadByte()
	if err != nil {
		return 0, err
	}
	if r.size++; r.size > maxRow {
		return 0, errTooLong
	}
	if c == '\r' || c == '\n' && r.last != '\r' {
		r.line++
	}
	r.last = c
	return c, nil
}

// peek is the next byte without reading it; 0 at the end.
func (r *csvReader) peek() byte {
	c, err := r.text.Peek(1)
	if err != nil {
		return 0
	}
	return c[0]
}

// endLine reads the LF of a CR LF whose CR was read.
func (r *csvReader) endLine(c byte) error {
	if c == '\r' && r.peek() == '\n' {
		_, err := r.next()
		return err
	}
	return nil
}

// read gives the fields of the next record that is not a blank line, and the line at which it begins. A record that is not well-formed is a
// [*corpus.RowError]; reading continues at the next line. Any other error ends it: io.EOF, or what reading the file gave.
func (r *csvReader) read() (fields []string, line int, err error) {
	for {
		r.size, line = 0, r.line
		fields, err = r.record()
		if blank := len(fields) == 1 && strings.TrimSpace(fields[0]) == ""; err != nil || !blank {
			return fields, line, err
		}
	}
}

func (r *csvReader) record() (fields []string, err error) {
	if _, err := r.text.Peek(1); err != nil {
		return nil, err // io.EOF, or what reading gave
	}
	for {
		r.field = r.field[:0]
		var c byte // what ended the field: comma, '\r', '\n' or 0 for the end of the file
		if r.peek() == '"' {
			c, err = r.quoted()
		} else {
			c, err = r.plain()
		}
		if err != nil {
			return fields, err
		}
		if len(fields) == maxFields {
			return nil, fmt.Errorf("more than %d fields: is a comma what separates them?", maxFields)
		}
		fields = append(fields, string(r.field))
		if c != r.comma {
			return fields, r.endLine(c)
		}
	}
}

// plain reads a field without quotes up to and with what ends it.
func (r *csvReader) plain() (byte, error) {
	for {
		c, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case err != nil:
			return 0, err
		case c == r.comma || c == '\r' || c == '\n':
			return c, nil
		case c == '"':
			return 0, r.skip(corpus.Malformed, "line %d: a quote inside the field that begins with %s, which does not begin with one: put the whole field into quotes and double the quotes in it", r.line, excerpt(r.field))
		}
		r.field = append(r.field, c)
	}
}

// quoted reads a field in quotes and what ends it.
func (r *csvReader) quoted() (byte, error) {
	line := r.line
	if _, err := r.next(); err != nil {
		return 0, err
	}
	for {
		c, err := r.next()
		if errors.Is(err, io.EOF) {
			return 0, rowError(corpus.OpenSection, "the quote that opens at line %d does not close by the end of the file: what is between is lost with the row", line)
		}
		if err != nil {
			return 0, err
		}
		if c != '"' {
			r.field = append(r.field, c)
			continue
		}
		c, err = r.next()
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case err != nil:
			return 0, err
		case c == '"':
			r.field = append(r.field, '"')
		case c == r.comma || c == '\r' || c == '\n':
			return c, nil
		default:
			kind := corpus.Malformed
			if r.line > line {
				kind = corpus.OpenSection
			}
			return 0, r.skip(kind, "line %d: a quote opens at line %d and does not close as it should: %q follows the one that closes it; double the quotes inside a field", r.line, line, c)
		}
	}
}

// skip reads to the end of the line and gives the error of the record.
func (r *csvReader) skip(kind corpus.ErrorKind, format string, args ...any) error {
	bad := rowError(kind, format, args...)
	for {
		c, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return bad
		case err != nil:
			return err
		case c == '\r' || c == '\n':
			if err := r.endLine(c); err != nil {
				return err
			}
			return bad
		}
	}
}

// csvTable reads a table whose first row names the fields. A column without a name is left out. The separator is the comma, in a .tsv file the tab; where
// the header has no comma but semicolons or tabs outside of quotes, as spreadsheets write it, it is those; a line such as "sep=;" before the header says it.
func csvTable(path string, text *bufio.Reader, yield func(corpus.Row, error) bool) {
	reader := newCSV(text, '\t')
	if !strings.EqualFold(filepath.Ext(path), ".tsv") {
		start, _ := text.Peek(text.Size())
		if m := separatorLine.FindSubmatch(start); m != nil {
			text.Discard(len(m[0]))
			reader.comma, reader.line = m[1][0], 2
		} else {
			reader.comma = separator(start)
		}
	}
	header, line, err := reader.read()
	if err == nil {
		err = checkHeader(header)
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		yield(corpus.Row{}, fmt.Errorf("%s:%d: reading the header: %w: expected a first row with the names of the fields", path, line, err))
		return
	}
	for {
		record, line, err := reader.read()
		if errors.Is(err, io.EOF) {
			return
		}
		row := corpus.Row{File: path, Line: line}
		bad, ok := errors.AsType[*corpus.RowError](err)
		switch {
		case ok:
			err = at(path, line, bad)
		case err != nil:
			yield(corpus.Row{}, fmt.Errorf("%s:%d: %w", path, line, err))
			return
		default:
			if row.Text, err = fill(header, record); err != nil {
				err = at(path, line, err)
			}
		}
		if !yield(row, err) {
			return
		}
	}
}

// separatorLine is what spreadsheets write and read before the header: "sep=;".
var separatorLine = regexp.MustCompile(`^(?i:sep)=([;,|\t])(?:\r\n|\r|\n)`)

// separator looks at the first line: a comma, or where there is none outside of quotes a semicolon or a tab.
func separator(start []byte) byte {
	quoted, found := false, byte(',')
	for _, c := range start {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ',':
			return ','
		case c == '\r' || c == '\n':
			return found
		case (c == ';' || c == '\t') && found == ',':
			found = c
		}
	}
	return found
}

// checkHeader refuses names that are there twice or cannot be read.
func checkHeader(header []string) error {
	met := make(map[string]bool, len(header))
	for _, name := range header {
		if err := checkText(name); err != nil {
			return fmt.Errorf("the name %s %w", excerpt(name), err)
		}
		if name != "" && met[name] {
			return fmt.Errorf("the name %q is there twice", name)
		}
		met[name] = true
	}
	return nil
}

// fill names the fields of a record.
func fill(header, record []string) (map[string]string, error) {
	if len(record) < len(header) {
		return nil, rowError(corpus.MissingField, "found %d fields, expected %d: %q is missing", len(record), len(header), header[len(record)])
	}
	if len(record) > len(header) {
		return nil, rowError(corpus.Malformed, "found %d fields, expected %d (%s): is a comma not quoted?", len(record), len(header), someNames(header))
	}
	text := make(map[string]string, len(header))
	for i, name := range header {
		if name == "" {
			continue
		}
		if err := checkText(record[i]); err != nil {
			return nil, rowError(corpus.InvalidUTF8, "field %q %w", name, err)
		}
		text[name] = record[i]
	}
	return text, nil
}

// someNames lists the first names of fields in quotes, so that a space at an end is seen.
func someNames(names []string) string {
	const most = 20
	var quoted []string
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, excerpt(name))
	}
	list := strings.Join(quoted, ", ")
	if more := len(names) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// hasNamed says what a row has, for the error that it lacks something. Names that differ in case or spaces only are pointed at.
func hasNamed(row corpus.Row, wanted string) string {
	names := row.Names()
	text := "the row has " + someNames(names)
	if len(names) == 0 {
		text = "the row has no fields"
	}
	alike := func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), wanted) }
	if i := slices.IndexFunc(names, alike); i >= 0 {
		return text + fmt.Sprintf("; %q is not %q: spaces and capitals count", names[i], wanted)
	}
	if len(names) == 1 && strings.ContainsAny(names[0], ";\t|") {
		return text + ": is it one field because something other than a comma separates the fields?"
	}
	return text
}
