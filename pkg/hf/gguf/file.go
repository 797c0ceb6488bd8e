package gguf

import (
	"fmt"
	"maps"
	"slices"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// File is an open GGUF file. Its methods may be called from several goroutines; Close may not be called while a tensor is in use.
type File struct {
	path     string
	mapping  *safetensors.Mapping
	metadata map[string]Value
	tensors  map[string]Tensor
	names    []string // in the file's order
	data     []byte   // content without the header
}

// Tensor is an array of a file, as it lies there.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // outermost first, as in safetensors; the file has them the other way round

	offset uint64
	data   []byte
}

// Open maps the file at path and checks its header. The error names the file, what was found and what was expected.
func Open(path string) (*File, error) {
	mapping, err := safetensors.Map(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := parse(mapping.Bytes())
	if err != nil {
		mapping.Close()
		return nil, fmt.Errorf("gguf: %s: %w", path, err)
	}
	f.path, f.mapping = path, mapping
	return f, nil
}

// Path returns the path the file was opened at.
func (f *File) Path() string { return f.path }

// Names returns the tensors' names, in the file's order.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Keys returns the metadata's keys, sorted.
func (f *File) Keys() []string { return slices.Sorted(maps.Keys(f.metadata)) }

// Value returns a value of the metadata; the zero Value where there is no such key.
func (f *File) Value(key string) Value { return f.metadata[key] }

// Tensor returns a tensor by its name in the file.
func (f *File) Tensor(name string) (Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("gguf: %s: tensor %q: not found", f.path, name)
	}
	return t, nil
}

// Close releases the file. A second Close does nothing.
func (f *File) Close() error {
	f.tensors = nil
	return f.mapping.Close()
}

// Len returns the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}
