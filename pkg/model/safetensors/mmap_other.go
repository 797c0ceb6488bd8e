//go:build !unix

package safetensors

import "os"

// mapFile reads the file where the syscall package has no mmap.
func mapFile(file *os.File, size int64) (content []byte, unmap func() error, err error) {
	return readFile(file, size)
}
