//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package env

func (l *FileLock) lock() error { return l.lockByMarker() }
