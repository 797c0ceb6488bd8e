package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/env"
)

// Bounds on one row or line. More is a wrong file: an item has a few thousand bytes in a few fields.
const (
	maxRow    = 8 << 20 // bytes
	maxFields = 1 << 18 // of a row, or entries of a list
)

// openRegular opens a file and refuses what is none. A pipe or a device may block for ever or never end.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("corpus: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("corpus: %s is a %s, expected a file", path, env.FileKind(info.Mode()))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("corpus: %w", err)
	}
	return file, info, nil
}

// signatures are the first bytes of files that are not UTF-8 text, and what to say of them. UTF-32 stands before UTF-16, whose mark begins it.
var signatures = []struct{ start, found, do string }{
	{"\xff\xfe\x00\x00", "UTF-32 text", "convert it to UTF-8"},
	{"\x00\x00\xfe\xff", "UTF-32 text", "convert it to UTF-8"},
	{"\xff\xfe", "UTF-16 text (little-endian)", "convert it to UTF-8"},
	{"\xfe\xff", "UTF-16 text (big-endian)", "convert it to UTF-8"},
	{"\x1f\x8b", "gzip", "unpack it"},
	{"\x28\xb5\x2f\xfd", "zstandard", "unpack it"},
	{"PK\x03\x04", "a zip archive (an .xlsx is one)", "save it as UTF-8 text"},
	{"PAR1", "parquet", "give it the ending .parquet"},
}

// byteOrderMark of UTF-8. It is not part of the text.
const byteOrderMark = "\xef\xbb\xbf"

// openText opens a file of UTF-8 text.
func openText(path string) (*os.File, *bufio.Reader, error) {
	file, _, err := openRegular(path)
	if err != nil {
		return nil, nil, err
	}
	text, err := newText(path, file)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, text, nil
}

// newText reads UTF-8 text behind its byte order mark, and refuses other encodings by name.
func newText(path string, r io.Reader) (*bufio.Reader, error) {
	text := bufio.NewReaderSize(r, 8<<10)
	start, err := text.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if strings.HasPrefix(string(start), byteOrderMark) {
		_, err = text.Discard(len(byteOrderMark))
		return text, err
	}
	for _, s := range signatures {
		if strings.HasPrefix(string(start), s.start) {
			return nil, fmt.Errorf("%s:1: the file is %s, not UTF-8 text: %s", path, s.found, s.do)
		}
	}
	return text, nil
}

// textFormat reads the rows of a text; path is named in errors.
type textFormat func(path string, text *bufio.Reader, yield func(corpus.Row, error) bool)

// rows reads a file of the format.
func (read textFormat) rows(path string) iter.Seq2[corpus.Row, error] {
	return func(yield func(corpus.Row, error) bool) {
		file, text, err := openText(path)
		if err != nil {
			yield(corpus.Row{}, err)
			return
		}
		defer file.Close()
		read(path, text, yield)
	}
}

// errTooLong is a row or a line of more than maxRow bytes.
var errTooLong = fmt.Errorf("longer than %d MiB: a row of a table has a few thousand bytes; is this the right file, and do its quotes close?", maxRow>>20)

// readLine reads up to and with the next LF into buffer, which it returns. At the end of the file it returns what is left and io.EOF.
func readLine(text *bufio.Reader, buffer []byte) ([]byte, error) {
	buffer = buffer[:0]
	for {
		piece, err := text.ReadSlice('\n')
		if len(buffer)+len(piece) > maxRow {
			return buffer, errTooLong
		}
		buffer = append(buffer, piece...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return buffer, err
		}
	}
}

// readLabels reads a file with one label per line, whatever ends its lines, and maps each through known. Blank lines at the end are no labels.
func readLabels(path string, known []string) ([]int, error) {
	file, text, err := openText(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(text, maxRow+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(content) > maxRow {
		return nil, fmt.Errorf("%s: the file of labels is %w", path, errTooLong)
	}
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimRight(string(content), " \t\r\n"))
	if lines == "" {
		return nil, nil
	}
	var labels []int
	for line, found := range strings.Split(lines, "\n") {
		label, ok := number(found)
		i := -1
		if ok {
			i = slices.Index(known, label)
		}
		if i < 0 {
			return nil, fmt.Errorf("%s:%d: label %s, expected one of %s", path, line+1, excerpt(found), strings.Join(known, ", "))
		}
		labels = append(labels, i)
	}
	return labels, nil
}

// excerpt is a short quotation for an error.
func excerpt[T string | []byte](text T) string {
	const most = 60 // runes
	runes := 0
	for end := range string(text[:min(len(text), (most+1)*utf8.UTFMax)]) {
		if runes++; runes > most {
			return fmt.Sprintf("%q...", string(text[:end]))
		}
	}
	return fmt.Sprintf("%q", string(text))
}
