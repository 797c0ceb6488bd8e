package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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
	metadata map[string]string
}

// parseHeader parses the header's JSON and checks it against the number of data bytes in the file.
// It walks the tokens itself because encoding/json keeps the last of two equal keys and ignores case,
// and either would hide a damaged or a forged file.
func parseHeader(text []byte, dataSize int64) (*header, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	h := &header{metadata: map[string]string{}}
	seen := map[string]bool{}
	err := object(decoder, func(name string) error {
		if seen[name] {
			return fmt.Errorf("tensor %q: found twice in the header, expected each name once; write the file again", name)
		}
		seen[name] = true
		if name == metadataKey {
			return metadata(decoder, h.metadata)
		}
		e := entry{name: name}
		if err := e.parse(decoder); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		h.entries = append(h.entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("header: found more text after the closing brace, expected only spaces; the file is damaged, fetch or write it again")
	}
	return h, h.check(dataSize)
}

// object reads a JSON object, calling value after each key with the decoder in front of the value.
func object(decoder *json.Decoder, value func(key string) error) error {
	if err := delimiter(decoder, '{'); err != nil {
		return err
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return badJSON(err)
		}
		// Between braces the decoder yields only strings as keys.
		if err := value(token.(string)); err != nil {
			return err
		}
	}
	return delimiter(decoder, '}')
}

func delimiter(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return badJSON(err)
	}
	if token != want {
		return fmt.Errorf("header: found %v, expected %q; the file is damaged or not safetensors", token, want.String())
	}
	return nil
}

func badJSON(err error) error {
	return fmt.Errorf("header: not valid JSON (%w); the file is damaged or not safetensors, fetch or write it again", err)
}

func metadata(decoder *json.Decoder, into map[string]string) error {
	return object(decoder, func(key string) error {
		token, err := decoder.Token()
		if err != nil {
			return badJSON(err)
		}
		text, ok := token.(string)
		if !ok {
			return fmt.Errorf("%s: found %v for key %q, expected a string; the format allows text only", metadataKey, token, key)
		}
		into[key] = text
		return nil
	})
}

func (e *entry) parse(decoder *json.Decoder) error {
	var offsets []int64
	seen := map[string]bool{}
	err := object(decoder, func(field string) (err error) {
		if seen[field] {
			return fmt.Errorf("field %q found twice, expected once; write the file again", field)
		}
		seen[field] = true
		switch field {
		case "dtype":
			token, err := decoder.Token()
			if err != nil {
				return badJSON(err)
			}
			text, ok := token.(string)
			if !ok {
				return fmt.Errorf("dtype: found %v, expected a string", token)
			}
			e.dtype = text
			return nil
		case "shape":
			e.shape, err = integers(decoder, field)
			return err
		case "data_offsets":
			offsets, err = integers(decoder, field)
			return err
		}
		return fmt.Errorf("found field %q, expected dtype, shape and data_offsets", field)
	})
	if err != nil {
		return err
	}
	for _, field := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[field] {
			return fmt.Errorf("field %q is missing; the header is damaged, fetch or write the file again", field)
		}
	}
	if len(offsets) != 2 {
		return fmt.Errorf("data_offsets: found %d numbers, expected 2 (begin, end)", len(offsets))
	}
	e.begin, e.end = offsets[0], offsets[1]
	return nil
}

func integers(decoder *json.Decoder, field string) ([]int64, error) {
	if err := delimiter(decoder, '['); err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	values := []int64{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, badJSON(err)
		}
		number, ok := token.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%s: found %v, expected an integer", field, token)
		}
		value, err := number.Int64()
		if err != nil {
			return nil, fmt.Errorf("%s: found %s, expected an integer of at most 63 bits", field, number)
		}
		values = append(values, value)
	}
	return values, delimiter(decoder, ']')
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
	slices.SortFunc(h.entries, func(a, b entry) int {
		switch {
		case a.begin != b.begin:
			return int(max(-1, min(1, a.begin-b.begin)))
		case a.end != b.end:
			return int(max(-1, min(1, a.end-b.end)))
		}
		return strings.Compare(a.name, b.name)
	})
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
