package gguf

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// magic is the first four bytes of a file.
const magic = "GGUF"

// Bounds of the format: a tensor has at most four dimensions (GGML_MAX_DIMS), names and keys are short (the specification allows keys of 65,535 bytes).
const (
	maxDims          = 4
	maxName          = 1 << 16
	defaultAlignment = 32
)

// The least number of bytes that an entry or a tensor takes in the header.
const (
	leastEntry  = 8 + 4 + 1
	leastTensor = 8 + 4 + 4 + 8
)

// parse reads the header of a whole file's content and checks it against the content.
func parse(content []byte) (*File, error) {
	r := &reader{rest: content, size: len(content)}
	if head := r.take(4, "the magic number"); r.err == nil && string(head) != magic {
		return nil, fmt.Errorf("found %q at the start, expected %q; the file is not GGUF", head, magic)
	}
	version := r.uint32("the version")
	switch {
	case r.err != nil:
	case version&0xffff == 0 && version != 0:
		return nil, fmt.Errorf("the file is big endian, expected little endian; convert it with gguf_convert_endian.py of llama.cpp")
	case version != 2 && version != 3:
		return nil, fmt.Errorf("found version %d, expected 2 or 3; convert the model again with today's llama.cpp", version)
	}
	tensors, entries := r.count("tensors", leastTensor), r.count("metadata entries", leastEntry)
	f := &File{metadata: map[string]Value{}, tensors: map[string]Tensor{}}
	for i := 0; i < entries && r.err == nil; i++ {
		key := r.text(fmt.Sprintf("the key of metadata entry %d", i))
		v := r.value(key)
		if _, twice := f.metadata[key]; twice && r.err == nil {
			return nil, fmt.Errorf("metadata key %q: found twice, expected each key once", key)
		}
		f.metadata[key] = v
	}
	list := make([]Tensor, 0, min(tensors, len(r.rest)/leastTensor))
	for i := 0; i < tensors && r.err == nil; i++ {
		t := r.tensor(i)
		if _, twice := f.tensors[t.Name]; twice && r.err == nil {
			return nil, fmt.Errorf("tensor %q: found twice, expected each name once", t.Name)
		}
		f.tensors[t.Name] = t
		list = append(list, t)
	}
	if r.err != nil {
		return nil, r.err
	}
	data, err := f.dataSection(content, len(content)-len(r.rest))
	if err != nil {
		return nil, err
	}
	f.data = data
	for i := range list {
		if err := list[i].place(data); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", list[i].Name, err)
		}
		f.tensors[list[i].Name] = list[i]
		f.names = append(f.names, list[i].Name)
	}
	return f, checkOverlap(list)
}

// dataSection is the content behind the header, from the next multiple of the alignment on.
func (f *File) dataSection(content []byte, header int) ([]byte, error) {
	const key = "general.alignment"
	alignment := int64(defaultAlignment)
	if v := f.metadata[key]; v.found {
		n, ok := v.Int()
		if !ok || n < 1 || n > 1<<20 || n&(n-1) != 0 {
			return nil, fmt.Errorf("metadata key %q: found %v, expected a power of two up to 2^20", key, n)
		}
		alignment = n
	}
	start := (int64(header) + alignment - 1) / alignment * alignment
	if start > int64(len(content)) {
		return nil, nil // a file of metadata alone need not be padded
	}
	return content[start:], nil
}

// place finds the tensor's bytes in the data.
func (t *Tensor) place(data []byte) error {
	size := int64(t.Len()) / int64(t.Type.info().block) * int64(t.Type.info().bytes)
	if t.offset > uint64(len(data)) || uint64(size) > uint64(len(data))-t.offset {
		return fmt.Errorf("found bytes %d to %d, expected a range within the file's %d data bytes; the file is truncated or its header damaged, fetch it again",
			t.offset, t.offset+uint64(size), len(data))
	}
	t.data = data[t.offset : t.offset+uint64(size) : t.offset+uint64(size)]
	return nil
}

// checkOverlap refuses tensors that share bytes: no writer makes such a file.
func checkOverlap(list []Tensor) error {
	slices.SortFunc(list, func(a, b Tensor) int {
		if a.offset != b.offset {
			return int(max(-1, min(1, int64(a.offset)-int64(b.offset))))
		}
		return len(a.data) - len(b.data)
	})
	for i := 1; i < len(list); i++ {
		if before := list[i-1]; list[i].offset < before.offset+uint64(len(before.data)) {
			return fmt.Errorf("tensor %q: found data at byte %d inside tensor %q, expected it at %d or later; the header is damaged, fetch the file again",
				list[i].Name, list[i].offset, before.Name, before.offset+uint64(len(before.data)))
		}
	}
	return nil
}

// reader takes values off the front of the file and keeps the first error.
type reader struct {
	rest []byte
	size int // of the file
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes; nil after an error.
func (r *reader) take(n uint64, what string) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.rest)) {
		r.fail("%s: found %d bytes at byte %d, expected %d; the file is truncated or its header damaged, fetch it again", what, len(r.rest), r.size-len(r.rest), n)
		return nil
	}
	head := r.rest[:n]
	r.rest = r.rest[n:]
	return head
}

func (r *reader) uint32(what string) uint32 {
	if b := r.take(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64(what string) uint64 {
	if b := r.take(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads how many things follow, each of which takes at least so many bytes.
func (r *reader) count(what string, least int) int {
	n := r.uint64("the number of " + what)
	if n > uint64(len(r.rest)/least) {
		r.fail("found a number of %d %s, expected at most the %d that the file's remaining %d bytes can hold; the header is damaged or of another byte order",
			n, what, len(r.rest)/least, len(r.rest))
		return 0
	}
	return int(n)
}

// text reads a key or a name.
func (r *reader) text(what string) string {
	n := r.uint64(what)
	if n > maxName {
		r.fail("%s: found a length of %d, expected at most %d; the header is damaged", what, n, maxName)
		return ""
	}
	return string(r.take(n, what))
}

// value reads a typed value. Arrays stay bytes until they are asked for.
func (r *reader) value(key string) Value {
	what := fmt.Sprintf("metadata key %q", key)
	v := Value{kind: valueType(r.uint32(what)), found: true}
	switch v.kind {
	case typeString:
		v.data = r.take(r.uint64(what), what)
	case typeArray:
		r.array(&v, what)
	default:
		size := valueTypes[v.kind].size
		if size == 0 {
			r.fail("%s: found a value of %s, expected one of the types 0 to 12", what, v.kind)
		}
		v.data = r.take(uint64(size), what)
	}
	return v
}

func (r *reader) array(v *Value, what string) {
	v.element = valueType(r.uint32(what))
	size := valueTypes[v.element].size
	if size > 0 {
		v.n = r.count("elements of "+what, size)
		v.data = r.take(uint64(v.n*size), what)
		return
	}
	if v.element != typeString {
		r.fail("%s: found an array of %s, expected one of numbers or strings", what, v.element)
		return
	}
	v.n = r.count("elements of "+what, 8)
	start := r.rest
	for i := 0; i < v.n && r.err == nil; i++ {
		r.take(r.uint64(what), what)
	}
	v.data = start[:len(start)-len(r.rest)]
}

// tensor reads where a tensor lies and what it is.
func (r *reader) tensor(i int) Tensor {
	t := Tensor{Name: r.text(fmt.Sprintf("the name of tensor %d", i))}
	what := fmt.Sprintf("tensor %q", t.Name)
	dims := r.uint32(what)
	if dims > maxDims {
		r.fail("%s: found %d dimensions, expected at most %d", what, dims, maxDims)
		return t
	}
	elements := uint64(1)
	for range dims {
		n := r.uint64(what)
		if n == 0 || n > 1<<40 || elements > 1<<40/n {
			r.fail("%s: found a dimension of %d, expected at least 1 and a product of at most 2^40", what, n)
			return t
		}
		elements *= n
		t.Shape = append(t.Shape, int(n))
	}
	slices.Reverse(t.Shape) // the file has the innermost first
	t.Type = Type(r.uint32(what))
	t.offset = r.uint64(what)
	info := t.Type.info()
	switch {
	case r.err != nil:
	case info.bytes == 0:
		r.fail("%s: found type %s, which is not dequantised, expected one of %s; take a file in one of these, or quantise the original again", what, t.Type, strings.Join(typeNames(), ", "))
	case len(t.Shape) == 0 || t.Shape[len(t.Shape)-1]%info.block != 0:
		r.fail("%s: found shape %v, expected a last dimension that is a multiple of %s's block of %d", what, t.Shape, t.Type, info.block)
	}
	return t
}
