package safetensors

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"
)

// lengthSize is the number of bytes that hold the header's length.
const lengthSize = 8

// File is an open safetensors file. Its methods may be called from several goroutines; Close may not be
// called while another is running or while a Tensor's Data is in use.
type File struct {
	path     string
	mapping  *Mapping
	data     []byte // the content without the header
	entries  map[string]entry
	names    []string
	metadata map[string]string
}

// Open maps the file at path and checks its header against the file: see the package comment for what is
// required. Nothing larger than the header is read. The error names the file, the tensor, what was found
// and what was expected.
func Open(path string) (*File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("safetensors: %s: found a directory, expected a regular file; for a model directory use OpenDir", path)
	}
	mapping, err := Map(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	f, err := parse(mapping.Bytes())
	if err != nil {
		mapping.Close()
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	f.path, f.mapping = path, mapping
	return f, nil
}

// headerLength checks the first eight bytes of a file's content.
func headerLength(content []byte) (int, error) {
	if len(content) < lengthSize {
		return 0, fmt.Errorf("found a file of %d bytes, expected at least the %d of the header's length; it is truncated or not safetensors, fetch or write it again", len(content), lengthSize)
	}
	length := binary.LittleEndian.Uint64(content)
	if length > maxHeader {
		return 0, fmt.Errorf("found a header of %d bytes, expected at most %d; the file is not safetensors or is damaged", length, maxHeader)
	}
	if int(length) > len(content)-lengthSize {
		return 0, fmt.Errorf("found a header of %d bytes in a file of %d, expected the header to fit; the file is truncated, fetch or write it again", length, len(content))
	}
	return int(length), nil
}

// parse builds a File from the content of a whole file.
func parse(content []byte) (*File, error) {
	length, err := headerLength(content)
	if err != nil {
		return nil, err
	}
	data := content[lengthSize+length:]
	h, err := parseHeader(content[lengthSize:lengthSize+length], int64(len(data)))
	if err != nil {
		return nil, err
	}
	f := &File{data: data, metadata: h.metadata, names: h.names, entries: make(map[string]entry, len(h.entries))}
	for _, e := range h.entries {
		f.entries[e.name] = e
	}
	return f, nil
}

// Path returns the path the file was opened at.
func (f *File) Path() string { return f.path }

// Names returns the tensors' names, sorted.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Metadata returns a copy of the header's __metadata__, empty if it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Shape returns a tensor's shape; its bytes are not touched.
func (f *File) Shape(name string) ([]int, error) {
	t, err := f.Tensor(name)
	return t.Shape, err
}

// Identity tells the file from any other and from itself before it was changed: that of its [Mapping] and the hash of its header.
func (f *File) Identity() string {
	content := f.mapping.Bytes()
	return fmt.Sprintf("%s %x", f.mapping.Identity(), sha256.Sum256(content[:len(content)-len(f.data)]))
}

// ModTime is when the file was last changed, as of its opening.
func (f *File) ModTime() time.Time { return f.mapping.ModTime() }

// Tensor returns a tensor whose Data points into the file: read only, and valid until Close.
// An unknown name is an error that lists the names most like it.
func (f *File) Tensor(name string) (Tensor, error) {
	if f.data == nil {
		return Tensor{}, fmt.Errorf("safetensors: %s: tensor %q: the file is closed", f.path, name)
	}
	e, ok := f.entries[name]
	if !ok {
		return Tensor{}, fmt.Errorf("safetensors: %s: tensor %q: not found; %s", f.path, name, describeNear(name, f.names))
	}
	shape := make([]int, len(e.shape))
	for i, dim := range e.shape {
		// byteSize bounds the product, but a dimension beside a zero may still exceed a 32-bit int.
		if int64(int(dim)) != dim {
			return Tensor{}, fmt.Errorf("safetensors: %s: tensor %q: found dimension %d, too large for this machine", f.path, name, dim)
		}
		shape[i] = int(dim)
	}
	// The capacity is cut too: an append must never reach the next tensor.
	return Tensor{Name: name, DType: e.dtype, Shape: shape, Data: f.data[e.begin:e.end:e.end]}, nil
}

// Forget lets the system take back the memory that holds a tensor's bytes, which come from the file again if they are read again. A reader of many
// large tensors that forgets each one needs no memory for the file beside what it makes of it. An unknown name does nothing.
func (f *File) Forget(name string) {
	if e, ok := f.entries[name]; ok && f.data != nil {
		start := int64(len(f.mapping.Bytes()) - len(f.data))
		f.mapping.Forget(int(start+e.begin), int(start+e.end))
	}
}

// Close releases the map. Tensors of the file must not be used afterwards. A second Close does nothing.
func (f *File) Close() error {
	f.data = nil
	if err := f.mapping.Close(); err != nil {
		return fmt.Errorf("safetensors: %s: %w", f.path, err)
	}
	return nil
}
