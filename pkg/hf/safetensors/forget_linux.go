package safetensors

import (
	"os"
	"syscall"
)

// forget advises the system that bytes begin to end of a mapped file are not needed. Pages shared with neighbours stay.
func forget(content []byte, begin, end int64) {
	page := int64(os.Getpagesize())
	begin, end = (begin+page-1)/page*page, end/page*page
	if begin < end {
		_ = syscall.Madvise(content[begin:end], syscall.MADV_DONTNEED) // advice: nothing depends on it
	}
}
