//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package env

import (
	"errors"
	"fmt"
	"syscall"
)

// lock takes flock(2)'s exclusive lock, which belongs to the open file and ends with it. Children do not inherit the file: Go opens it close-on-exec.
func (l *FileLock) lock() error {
	for {
		err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return &LockedError{Path: l.file.Name()}
		case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK):
			return l.lockByMarker() // some network file systems
		default:
			return fmt.Errorf("lock %s: %w", l.file.Name(), err)
		}
	}
}
