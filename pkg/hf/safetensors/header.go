package safetensors

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxHeader is the format's own limit on the header, 100 MB
// (https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs, MAX_HEADER_SIZE).
const maxHeader = 100_000_000

// metadataKey is the one header key that names no tensor.
const metadataKey = "__metadata__"

// entry is one tensor of a header.
type entry struct {
	name       string
	dtype      string
	shape      []int64
	begin, end int64 // offsets into the data
}

// header is a parsed header. Its entries are in the order of their data.
type header struct {
	entries  []entry
	names    []string // sorted
	metadata map[string]string
}

// parseHeader parses the header's JSON and checks it against the number of data bytes in the file.
// It reads the few forms that a header has by itself: encoding/json keeps the last of two equal keys and ignores case, and either would
// hide a damaged or a forged file; its decoder also takes a minute for the header of a million tensors.
func parseHeader(text []byte, dataSize int64) (*header, error) {
	p := &parser{text: text}
	h := &header{metadata: map[string]string{}}
	described := false
	p.object("header", func(name string) {
		if name == metadataKey {
			if described {
				p.fail("%s: found twice in the header, expected it once; write the file again", name)
			}
			described = true
			p.metadata(h.metadata)
			return
		}
		e := entry{name: name}
		if p.entry(&e); p.err == nil {
			h.entries = append(h.entries, e)
		}
	})
	p.space()
	if p.err == nil && p.at < len(text) {
		p.fail("header: found more text after the closing brace, expected only spaces; the file is damaged, fetch or write it again")
	}
	if p.err != nil {
		return nil, p.err
	}
	for _, e := range h.entries {
		h.names = append(h.names, e.name)
	}
	slices.Sort(h.names)
	for i := 1; i < len(h.names); i++ {
		if h.names[i] == h.names[i-1] {
			return nil, fmt.Errorf("tensor %q: found twice in the header, expected each name once; write the file again", h.names[i])
		}
	}
	return h, h.check(dataSize)
}

// parser reads JSON from the front and keeps the first error.
type parser struct {
	text []byte
	at   int
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// bad is the error of text that is not JSON, or not of the form that belongs here.
func (p *parser) bad(expected string) {
	found := "the end"
	if p.at < len(p.text) {
		found = strconv.Quote(string(p.text[p.at:min(len(p.text), p.at+20)]))
	}
	p.fail("header: not valid JSON of this format (found %s at byte %d, expected %s); the file is damaged or not safetensors, fetch or write it again", found, p.at, expected)
}

// space skips white space.
func (p *parser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\n' || p.text[p.at] == '\t' || p.text[p.at] == '\r') {
		p.at++
	}
}

// take consumes a character behind white space if it is there.
func (p *parser) take(c byte) bool {
	p.space()
	if p.err == nil && p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) want(c byte) {
	if p.err == nil && !p.take(c) {
		p.bad(strconv.Quote(string(c)))
	}
}

// list calls each for the elements between two brackets.
func (p *parser) list(open, closing byte, each func()) {
	if p.want(open); p.err != nil || p.take(closing) {
		return
	}
	for p.err == nil {
		each()
		if p.take(closing) {
			return
		}
		p.want(',')
	}
}

// object calls value for each key of an object, with the parser in front of the value.
func (p *parser) object(what string, value func(key string)) {
	p.list('{', '}', func() {
		key := p.str(what)
		if p.want(':'); p.err == nil {
			value(key)
		}
	})
}

// str reads a string.
func (p *parser) str(what string) string {
	if !p.take('"') {
		p.bad("a string, " + what)
		return ""
	}
	start := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			raw := p.text[start:p.at]
			p.at++
			if !utf8.Valid(raw) {
				p.fail("header: %q is not UTF-8; the file is damaged, fetch or write it again", raw)
			}
			return string(raw)
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			p.bad("no control character inside a string")
			return ""
		}
		p.at++
	}
	p.bad("the end of a string")
	return ""
}

// escaped reads a string with escape sequences, which headers hardly have.
func (p *parser) escaped(start int) string {
	end := start
	for end < len(p.text) && p.text[end] != '"' {
		if p.text[end] == '\\' {
			end++
		}
		end++
	}
	var s string
	if end >= len(p.text) || json.Unmarshal(p.text[start-1:end+1], &s) != nil {
		p.bad("a string with valid escape sequences")
		return ""
	}
	p.at = end + 1
	return s
}

// integers reads an array of whole numbers.
func (p *parser) integers(field string) []int64 {
	values := []int64{}
	p.list('[', ']', func() {
		p.space()
		start := p.at
		for p.at < len(p.text) && strings.IndexByte("+-.0123456789eE", p.text[p.at]) >= 0 {
			p.at++
		}
		number := string(p.text[start:p.at])
		value, err := strconv.ParseInt(number, 10, 64)
		switch digits := strings.TrimPrefix(number, "-"); {
		case number == "":
			p.bad(field + ": an integer")
		case err != nil:
			p.fail("%s: found %s, expected an integer of at most 63 bits", field, number)
		case number[0] == '+' || len(digits) > 1 && digits[0] == '0':
			p.fail("%s: found %s, which is not a JSON number", field, number)
		}
		values = append(values, value)
	})
	return values
}

func (p *parser) metadata(into map[string]string) {
	p.object(metadataKey, func(key string) {
		p.space()
		if p.at < len(p.text) && p.text[p.at] != '"' {
			p.fail("%s: found %q for key %q, expected a string; the format allows text only", metadataKey, p.text[p.at:min(len(p.text), p.at+20)], key)
			return
		}
		into[key] = p.str(metadataKey)
	})
}

// entry reads what a header says of one tensor.
func (p *parser) entry(e *entry) {
	var offsets []int64
	var dtype, shape, data bool
	inner := &parser{text: p.text, at: p.at, err: p.err}
	once := func(seen *bool, field string) {
		if *seen {
			inner.fail("field %q found twice, expected once; write the file again", field)
		}
		*seen = true
	}
	inner.object("a field", func(field string) {
		switch field {
		case "dtype":
			once(&dtype, field)
			e.dtype = inner.str("the dtype")
		case "shape":
			once(&shape, field)
			e.shape = inner.integers(field)
		case "data_offsets":
			once(&data, field)
			offsets = inner.integers(field)
		default:
			inner.fail("found field %q, expected dtype, shape and data_offsets", field)
		}
	})
	p.at = inner.at
	for _, field := range []struct {
		name string
		seen bool
	}{{"dtype", dtype}, {"shape", shape}, {"data_offsets", data}} {
		if !field.seen {
			inner.fail("field %q is missing; the header is damaged, fetch or write the file again", field.name)
		}
	}
	if inner.err == nil && len(offsets) != 2 {
		inner.fail("data_offsets: found %d numbers, expected 2 (begin, end)", len(offsets))
	}
	if inner.err != nil {
		p.fail("tensor %q: %w", e.name, inner.err)
		return
	}
	e.begin, e.end = offsets[0], offsets[1]
}

// check sorts the entries by their place in the data and verifies that they cover it exactly.
func (h *header) check(dataSize int64) error {
	for _, e := range h.entries {
		elementSize, ok := dtypeSizes[e.dtype]
		if !ok {
			return fmt.Errorf("tensor %q: found dtype %q, expected one of %s; convert the tensor before saving", e.name, e.dtype, knownDTypes())
		}
		size, ok := byteSize(e.shape, elementSize)
		if !ok {
			return fmt.Errorf("tensor %q: found shape %v, expected dimensions of at least 0 whose product fits 63 bits", e.name, e.shape)
		}
		if e.begin < 0 || e.end < e.begin || e.end > dataSize {
			hint := "the file is truncated or its header damaged; fetch or write it again"
			return fmt.Errorf("tensor %q: found data_offsets [%d, %d], expected a range within the file's %d data bytes; %s", e.name, e.begin, e.end, dataSize, hint)
		}
		if e.end-e.begin != size {
			return fmt.Errorf("tensor %q: found %d bytes of data, expected %d for %s %v; write the file again", e.name, e.end-e.begin, size, e.dtype, e.shape)
		}
	}
	byPlace := func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), strings.Compare(a.name, b.name))
	}
	if !slices.IsSortedFunc(h.entries, byPlace) {
		slices.SortFunc(h.entries, byPlace)
	}
	var covered int64
	previous := ""
	for _, e := range h.entries {
		switch {
		case e.begin < covered:
			return fmt.Errorf("tensor %q: found data at byte %d inside tensor %q, expected it at %d or later; tensors must not overlap, write the file again", e.name, e.begin, previous, covered)
		case e.begin > covered:
			return fmt.Errorf("tensor %q: found data at byte %d, expected it at %d where the data before it ends; the format allows no holes, write the file again", e.name, e.begin, covered)
		}
		covered, previous = e.end, e.name
	}
	if covered != dataSize {
		return fmt.Errorf("found %d data bytes, expected the %d that the header describes; the file is damaged, fetch or write it again", dataSize, covered)
	}
	return nil
}
