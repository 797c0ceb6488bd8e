package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/attune-lab/attune/pkg/corpus"
)

// jsonRows reads an object per line; blank lines are skipped.
func jsonRows(path string) iter.Seq2[corpus.Row, error] { return textFormat(jsonLines).rows(path) }

func jsonLines(path string, text *bufio.Reader, yield func(corpus.Row, error) bool) {
	var buffer []byte
	for line := 1; ; line++ {
		var end error
		buffer, end = readLine(text, buffer)
		if end != nil && !errors.Is(end, io.EOF) {
			yield(corpus.Row{}, fmt.Errorf("%s:%d: %w", path, line, end))
			return
		}
		if object := bytes.TrimRight(buffer, " \t\r\n"); len(object) > 0 {
			row, err := jsonRow(object)
			row.File, row.Line = path, line
			if err != nil {
				err = at(path, line, err)
			}
			if !yield(row, err) {
				return
			}
		}
		if end != nil {
			return
		}
	}
}

// jsonDocument reads a .json file: an array of objects, an object that has one such array ("examples", "data"), or JSON lines under another name. In an array
// a row's "line" is its number, from 1.
func jsonDocument(path string, text *bufio.Reader, yield func(corpus.Row, error) bool) {
	var buffer bytes.Buffer
	if _, err := buffer.ReadFrom(io.LimitReader(text, maxDocument+1)); err != nil {
		yield(corpus.Row{}, fmt.Errorf("%s: %w", path, err))
		return
	}
	content := buffer.Bytes()
	if len(content) > maxDocument {
		yield(corpus.Row{}, fmt.Errorf("%s: a document of more than %d MiB: write its rows as JSON lines, which are not held in memory", path, maxDocument>>20))
		return
	}
	if first, rest, _ := bytes.Cut(content, []byte("\n")); len(bytes.TrimSpace(rest)) > 0 && bytes.HasPrefix(first, []byte("{")) && jsontext.Value(first).IsValid() {
		jsonLines(path, bufio.NewReader(&buffer), yield)
		return
	}
	array, err := documentArray(content)
	if err != nil {
		yield(corpus.Row{}, fmt.Errorf("%s: %w: expected an array of JSON objects, or an object with one", path, err))
		return
	}
	d := jsontext.NewDecoder(bytes.NewReader(array), jsontext.AllowDuplicateNames(true))
	d.ReadToken() // its syntax has been checked
	for line := 1; d.PeekKind() != ']'; line++ {
		value, err := d.ReadValue()
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("%s: row %d: %w", path, line, err))
			return
		}
		row, err := jsonRow(value)
		row.File, row.Line = path, line
		if err != nil {
			err = at(path, line, err)
		}
		if !yield(row, err) {
			return
		}
	}
}

// documentArray finds the array of a document that holds its rows.
func documentArray(content []byte) (jsontext.Value, error) {
	// A name twice is found in each row; the names of a whole document would take more memory than it does.
	d := jsontext.NewDecoder(bytes.NewReader(content), jsontext.AllowDuplicateNames(true))
	document, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(content[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("found more text after the document: %s", excerpt(rest))
	}
	switch kind := document.Kind(); kind {
	case '[':
		return document, nil
	case '{':
	default:
		return nil, fmt.Errorf("found %s", kindName(kind))
	}
	d = jsontext.NewDecoder(bytes.NewReader(document.Clone()), jsontext.AllowDuplicateNames(true))
	d.ReadToken()
	var found jsontext.Value
	var names []string
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		text := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if value.Kind() == '[' && bytes.HasPrefix(bytes.TrimSpace(value[1:]), []byte("{")) {
			found, names = value.Clone(), append(names, text)
		}
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("found an object with %d arrays of objects (%s)", len(names), someNames(names))
	}
	return found, nil
}

// maxDocument is the most bytes of a .json file, which is read whole.
const maxDocument = 32 << 20

// maxDepth of objects and lists in a row: their names are joined, so that depth costs the square of it.
const maxDepth = 16

// jsonRow reads one object as RFC 7493 has it: UTF-8, no name twice, no half of a surrogate pair, no NaN. null is a field that is not there.
func jsonRow(text []byte) (corpus.Row, error) {
	row := newRow()
	if !utf8.Valid(text) {
		return row, rowError(corpus.InvalidUTF8, "the line is not valid UTF-8: convert the file to UTF-8")
	}
	r := rowReader{jsontext.NewDecoder(bytes.NewReader(text)), row}
	if kind := r.PeekKind(); kind != '{' && kind != 0 {
		return row, rowError(corpus.Malformed, "found %s in %s: expected one JSON object per line", kindName(kind), excerpt(text))
	}
	if _, err := r.ReadToken(); err != nil {
		return row, r.explain(err, text)
	}
	if err := r.object("", 1); err != nil {
		return row, r.explain(err, text)
	}
	if rest := bytes.TrimSpace(text[r.InputOffset():]); len(rest) > 0 {
		hint := ""
		if bytes.ContainsRune(text, '\r') {
			hint = "; the lines of this file end in CR alone: end them in LF"
		}
		return row, rowError(corpus.Malformed, "more text after the JSON object in %s: expected one per line%s", excerpt(text), hint)
	}
	return row, nil
}

// rowReader puts the values of an object into a row: a field of an inner object gets both names (choices_text), an array of values is a list, an
// array of objects a list for each of their fields.
type rowReader struct {
	*jsontext.Decoder
	row corpus.Row
}

// explain makes an error of the decoder one of the row.
func (r rowReader) explain(err error, text []byte) error {
	var syntax *jsontext.SyntacticError
	switch {
	case !errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return rowError(corpus.OpenSection, "the JSON object never closes in %s: is the line cut off?", excerpt(text))
	case errors.Is(err, jsontext.ErrDuplicateName):
		return rowError(corpus.Malformed, "the name %q is there twice in the JSON object: which value is meant is not known", syntax.JSONPointer.LastToken())
	}
	from := text[min(int64(len(text)), syntax.ByteOffset):]
	if strings.Contains(syntax.Err.Error(), "surrogate") {
		return rowError(corpus.InvalidUTF8, "half of a surrogate pair, which is not a character, at byte %d: %s", syntax.ByteOffset, excerpt(from))
	}
	return rowError(corpus.Malformed, "%w at byte %d: %s: expected one JSON object per line", syntax.Err, syntax.ByteOffset, excerpt(from))
}

// object reads what follows a { up to and with its }.
func (r rowReader) object(prefix string, depth int) error {
	for {
		token, err := r.ReadToken()
		if err != nil || token.Kind() == '}' {
			return err
		}
		if err := r.value(prefix+token.String(), depth); err != nil {
			return err
		}
	}
}

func (r rowReader) value(name string, depth int) error {
	if depth > maxDepth {
		r.row.Bad[name] = rowError(corpus.Malformed, "field %s lies more than %d objects deep", excerpt(name), maxDepth)
		return r.SkipValue()
	}
	if r.PeekKind() == '[' {
		text, err := r.ReadValue()
		if err != nil {
			return err
		}
		if err := (rowReader{jsontext.NewDecoder(bytes.NewReader(text)), r.row}).list(name, depth); err != nil {
			return r.unusable(name, err)
		}
		return nil
	}
	token, err := r.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case '{':
		return r.object(name+"_", depth+1)
	}
	return addText(r.row, name, token.String())
}

// unusable notes a field that is neither text nor a list of texts. The row is good where nobody asks for that field.
func (r rowReader) unusable(name string, err error) error {
	if err := checkNew(r.row, name); err != nil {
		return err
	}
	r.row.Bad[name] = err
	return nil
}

// list reads an array whose syntax has been checked.
func (r rowReader) list(name string, depth int) error {
	r.ReadToken()
	list := []string{}
	for i := 0; ; i++ {
		switch kind := r.PeekKind(); {
		case kind == ']':
			return addList(r.row, name, list)
		case kind == '{' && i == 0:
			return r.objects(name, depth)
		case kind == '"' || kind == '0' || kind == 't' || kind == 'f':
			token, err := r.ReadToken()
			if err != nil {
				return err
			}
			if list = append(list, token.String()); len(list) > maxFields {
				return rowError(corpus.Malformed, "field %q: more than %d entries", name, maxFields)
			}
		default:
			return rowError(corpus.Malformed, "field %q: entry %d is %s, expected a text, a number or a truth value", name, i+1, kindName(kind))
		}
	}
}

// objects reads an array of objects, all with the same fields, each of them one value.
func (r rowReader) objects(name string, depth int) error {
	lists := make(map[string][]string)
	for i := 0; r.PeekKind() != ']'; i++ {
		if kind := r.PeekKind(); kind != '{' {
			return rowError(corpus.Malformed, "field %q: entry %d is %s, the entries before it are objects", name, i+1, kindName(kind))
		}
		if _, err := r.ReadToken(); err != nil {
			return err
		}
		inner := newRow()
		if err := (rowReader{r.Decoder, inner}).object("", depth+1); err != nil {
			return err
		}
		names := inner.Names()
		if len(inner.Text) != len(names) {
			return rowError(corpus.Malformed, "field %q: entry %d holds a list among %s, expected one value for each name", name, i+1, someNames(names))
		}
		for _, field := range names {
			if len(lists[field]) != i {
				return rowError(corpus.MissingField, "field %q: entry %d has %q, which an entry before it lacks", name, i+1, field)
			}
			lists[field] = append(lists[field], inner.Text[field])
		}
		if len(names) != len(lists) {
			return rowError(corpus.MissingField, "field %q: entry %d has only %s, the entries before it have more", name, i+1, someNames(names))
		}
	}
	for field, list := range lists {
		if err := addList(r.row, name+"_"+field, list); err != nil {
			return err
		}
	}
	return nil
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 'n':
		return "null"
	case '"':
		return "a text"
	case '0':
		return "a number"
	}
	return "a truth value"
}

func newRow() corpus.Row {
	return corpus.Row{Text: make(map[string]string), Lists: make(map[string][]string), Bad: make(map[string]error)}
}

// addText puts a field into a row. Two fields can come to one name: {"a_b": 1, "a": {"b": 2}}.
func addText(row corpus.Row, name, text string) error {
	if err := checkNew(row, name); err != nil {
		return err
	}
	row.Text[name] = text
	return nil
}

func addList(row corpus.Row, name string, list []string) error {
	if err := checkNew(row, name); err != nil {
		return err
	}
	row.Lists[name] = list
	return nil
}

func checkNew(row corpus.Row, name string) error {
	_, text := row.Text[name]
	_, list := row.Lists[name]
	_, bad := row.Bad[name]
	if len(row.Text)+len(row.Lists)+len(row.Bad) >= maxFields {
		return rowError(corpus.Malformed, "the object has more than %d fields", maxFields)
	}
	if text || list || bad {
		return rowError(corpus.Malformed, "two fields come to the name %q: rename one of them", name)
	}
	return nil
}

// errNotText completes an error about a text.
var errNotUTF8 = fmt.Errorf("is not valid UTF-8: convert the file to UTF-8")

var errNUL = fmt.Errorf("holds a zero byte: is the file UTF-16? Convert it to UTF-8")

// checkText refuses bytes that are no text.
func checkText(text string) error {
	if !utf8.ValidString(text) {
		return errNotUTF8
	}
	if strings.ContainsRune(text, 0) {
		return errNUL
	}
	return nil
}
