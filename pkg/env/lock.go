package env

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// FileLock is a lock between processes, held through a file. It ends with the process that holds it, also when that is killed.
type FileLock struct {
	file   *os.File
	marker string // of the fallback that creates a file; "" where the system locks
}

// LockedError is the error of TryLock where another process holds the lock.
type LockedError struct {
	Path   string // the file
	Holder string // what the holder wrote about itself, one line; "" if it has written nothing yet
	Stale  bool   // this system cannot tell whether the holder still lives: a person must, and remove the file
}

func (e *LockedError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	text := fmt.Sprintf("%s is locked by %s", e.Path, holder)
	if e.Stale {
		text += " (if that process has ended, remove the file)"
	}
	return text
}

// TryLock takes the lock of a file, creating it if needed, and writes holder, one line about the process, into it. It does not wait: where another process holds
// the lock, the error is a *LockedError and nothing was changed. The lock is advisory: only those who ask for it respect it. Where the file system has
// no locks, a file at path+".pid" stands for it; that file outlives a killed process.
func TryLock(path, holder string) (*FileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	l := &FileLock{file: file}
	if err := l.lock(); err != nil {
		if locked, ok := err.(*LockedError); ok {
			locked.Holder = readHolder(file)
		}
		file.Close()
		return nil, err
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(strings.TrimSpace(holder)+"\n"), 0)
	}
	if err != nil {
		l.Unlock()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, nil
}

// Unlock releases the lock. The file stays, empty: removing it would let two processes lock two files of one name.
func (l *FileLock) Unlock() {
	_ = l.file.Truncate(0)
	if l.marker != "" {
		os.Remove(l.marker)
	}
	l.file.Close() // and with it the lock
}

func readHolder(file *os.File) string {
	text := make([]byte, 4096)
	n, err := file.ReadAt(text, 0)
	if err != nil && err != io.EOF {
		return ""
	}
	line, _, _ := strings.Cut(string(text[:n]), "\n")
	return line
}

// lockByMarker creates a file that stands for the lock.
func (l *FileLock) lockByMarker() error {
	marker := l.file.Name() + ".pid"
	file, err := os.OpenFile(marker, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if os.IsExist(err) {
		return &LockedError{Path: marker, Stale: true}
	}
	if err != nil {
		return err
	}
	l.marker = marker
	return file.Close()
}
