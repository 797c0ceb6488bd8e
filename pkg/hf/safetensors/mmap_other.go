//go:build !unix

package safetensors

import "os"

// mapFile reads the file where the syscall package has no mmap.
func mapFile(file *os.File, size int64) (content []byte, unmap func() error, mapped bool, err error) {
	content, unmap, err = readFile(file, size)
	return content, unmap, false, err
}

// inode is 0 where files have no such number.
func inode(os.FileInfo) uint64 { return 0 }
