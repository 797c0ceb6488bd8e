package safetensors

import (
	"fmt"
	"io"
	"os"
)

// readFile is the fallback of mapFile: the whole file in memory.
func readFile(file *os.File, size int64) (content []byte, release func() error, err error) {
	content = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), content); err != nil {
		return nil, nil, fmt.Errorf("reading %d bytes: %w", size, err)
	}
	return content, func() error { return nil }, nil
}
