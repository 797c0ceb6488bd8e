//go:build !linux

package safetensors

// forget does nothing where the syscall package has no madvise.
func forget(content []byte, begin, end int64) {}
