package safetensors

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

// Mapping is the content of a regular file, mapped into memory where the system can and read where it cannot. It serves this package's files
// and other formats of weights.
type Mapping struct {
	path    string
	info    os.FileInfo
	content []byte
	unmap   func() error
	mapped  bool // the content is the file's own pages, not a copy
}

// Map maps the file at path. Only regular files are opened: a pipe would be waited for and a device may have no end.
func Map(path string) (*Mapping, error) {
	// Stat comes first: opening a pipe waits for its other end.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: found a %s, expected a regular file", path, env.FileKind(info.Mode()))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if info.Size() == 0 || !info.Mode().IsRegular() { // nothing to map
		return &Mapping{path: path, info: info, unmap: func() error { return nil }}, nil
	}
	m := &Mapping{path: path, info: info}
	if m.content, m.unmap, m.mapped, err = mapFile(file, info.Size()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Bytes is the file's content: read only, and valid until Close.
func (m *Mapping) Bytes() []byte { return m.content }

// Identity tells the file from any other and from itself before it was changed, as far as the file system can: absolute path, size, time of the last
// change, and the inode where there is one. Contents can be remembered under it.
func (m *Mapping) Identity() string {
	path, err := filepath.Abs(m.path)
	if err != nil {
		path = m.path
	}
	return fmt.Sprintf("%s %d %d %d", path, m.info.Size(), m.info.ModTime().UnixNano(), inode(m.info))
}

// ModTime is when the file was last changed, as of its opening.
func (m *Mapping) ModTime() time.Time { return m.info.ModTime() }

// Forget lets the system take back the memory of bytes begin to end, which come from the file again if they are read again.
func (m *Mapping) Forget(begin, end int) {
	if m.mapped {
		forget(m.content, int64(begin), int64(end))
	}
}

// Close releases the map. A second Close does nothing.
func (m *Mapping) Close() error {
	if m.unmap == nil {
		return nil
	}
	unmap := m.unmap
	m.content, m.unmap = nil, nil
	return unmap()
}

// readFile is the fallback of mapFile: the whole file in memory.
func readFile(file *os.File, size int64) (content []byte, release func() error, err error) {
	content = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), content); err != nil {
		return nil, nil, fmt.Errorf("reading %d bytes: %w", size, err)
	}
	return content, func() error { return nil }, nil
}
