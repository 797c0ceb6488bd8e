//go:build unix

package safetensors

import (
	"fmt"
	"os"
	"syscall"
)

// mapFile maps the file read-only. The map outlives the descriptor.
func mapFile(file *os.File, size int64) (content []byte, unmap func() error, mapped bool, err error) {
	if int64(int(size)) != size {
		return nil, nil, false, fmt.Errorf("found a file of %d bytes, too large to map on this machine", size)
	}
	content, err = syscall.Mmap(int(file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		// Some file systems (network, FUSE) cannot map; reading works everywhere.
		content, unmap, err = readFile(file, size)
		return content, unmap, false, err
	}
	return content, func() error { return syscall.Munmap(content) }, true, nil
}

// inode is the file's number on its file system.
func inode(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 0
}
