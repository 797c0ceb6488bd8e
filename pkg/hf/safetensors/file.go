package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// lengthSize is the number of bytes that hold the header's length.
const lengthSize = 8

// File is an open safetensors file. Its methods may be called from several goroutines; Close may not be
// called while another is running or while a Tensor's Data is in use.
type File struct {
	path     string
	content  []byte // the whole file, mapped where the system can
	unmap    func() error
	mapped   bool   // the content is the file's own pages, not a copy
	data     []byte // content without the header
	entries  map[string]entry
	names    []string
	metadata map[string]string
}

// Open maps the file at path and checks its header against the file: see the package comment for what is
// required. Nothing larger than the header is read. The error names the file, the tensor, what was found
// and what was expected.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("safetensors: %s: found a %s, expected a regular file; for a model directory use OpenDir", path, kind(info))
	}
	fail := func(err error) error { return fmt.Errorf("safetensors: %s: %w", path, err) }
	length, err := headerLength(file, info.Size())
	if err != nil {
		return nil, fail(err)
	}
	content, unmap, mapped, err := mapFile(file, info.Size())
	if err != nil {
		return nil, fail(err)
	}
	f, err := parse(content, length)
	if err != nil {
		unmap()
		return nil, fail(err)
	}
	f.path, f.unmap, f.mapped = path, unmap, mapped
	return f, nil
}

// headerLength reads and checks the first eight bytes.
func headerLength(r io.Reader, fileSize int64) (int64, error) {
	if fileSize < lengthSize {
		return 0, fmt.Errorf("found a file of %d bytes, expected at least the %d of the header's length; it is truncated or not safetensors, fetch or write it again", fileSize, lengthSize)
	}
	var first [lengthSize]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return 0, err
	}
	length := binary.LittleEndian.Uint64(first[:])
	if length > maxHeader {
		return 0, fmt.Errorf("found a header of %d bytes, expected at most %d; the file is not safetensors or is damaged", length, maxHeader)
	}
	if int64(length) > fileSize-lengthSize {
		return 0, fmt.Errorf("found a header of %d bytes in a file of %d, expected the header to fit; the file is truncated, fetch or write it again", length, fileSize)
	}
	return int64(length), nil
}

// parse builds a File from the content of a whole file whose header length is checked.
func parse(content []byte, length int64) (*File, error) {
	data := content[lengthSize+length:]
	h, err := parseHeader(content[lengthSize:lengthSize+length], int64(len(data)))
	if err != nil {
		return nil, err
	}
	f := &File{content: content, data: data, metadata: h.metadata, entries: make(map[string]entry, len(h.entries))}
	for _, e := range h.entries {
		f.entries[e.name] = e
		f.names = append(f.names, e.name)
	}
	slices.Sort(f.names)
	return f, nil
}

func kind(info os.FileInfo) string {
	if info.IsDir() {
		return "directory"
	}
	return "special file"
}

// Path returns the path the file was opened at.
func (f *File) Path() string { return f.path }

// Names returns the tensors' names, sorted.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Metadata returns a copy of the header's __metadata__, empty if it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Tensor returns a tensor whose Data points into the file: read only, and valid until Close.
// An unknown name is an error that lists the names most like it.
func (f *File) Tensor(name string) (Tensor, error) {
	if f.content == nil {
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
	if e, ok := f.entries[name]; ok && f.content != nil && f.mapped {
		start := int64(len(f.content) - len(f.data))
		forget(f.content, start+e.begin, start+e.end)
	}
}

// Close releases the map. Tensors of the file must not be used afterwards. A second Close does nothing.
func (f *File) Close() error {
	if f.content == nil {
		return nil
	}
	f.content, f.data = nil, nil
	if err := f.unmap(); err != nil {
		return fmt.Errorf("safetensors: %s: %w", f.path, err)
	}
	return nil
}
