package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

// blobWait is how often a process looks whether another one has made a blob.
const blobWait = 100 * time.Millisecond

// Blob is the path of a job's file, such as a survey's arrays: the one that is there, or what make writes to the path that it is given. The file appears whole or
// not at all. Where two processes want one blob, one makes it and the other waits. Where the job's code is unknown, nothing is stored: make is called with a path
// in a temporary folder, which is removed, and the path is "".
func (s *Store) Blob(j Job, make func(path string) error) (path string, err error) {
	name := j.Kind + blobExt
	if j.Code == "" {
		dir, err := os.MkdirTemp("", "attune-blob-")
		if err != nil {
			return "", fmt.Errorf("store: %w", err)
		}
		defer os.RemoveAll(dir)
		return "", make(filepath.Join(dir, name))
	}
	for _, below := range s.below {
		path := filepath.Join(below.folder(j.Key()), name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	folder, err := s.begin(j)
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, name)
	for {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		lock, err := env.TryLock(path+".lock", fmt.Sprintf("process %d", os.Getpid()))
		var held *env.LockedError
		switch {
		case errors.As(err, &held) && !held.Stale:
			time.Sleep(blobWait)
			continue
		case err != nil:
			return "", fmt.Errorf("store: %w", err)
		}
		err = makeBlob(path, make)
		lock.Unlock()
		return path, err
	}
}

func makeBlob(path string, make func(path string) error) error {
	if _, err := os.Stat(path); err == nil { // while the lock was taken
		return nil
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)) // one at a time: the lock is held
	if err := make(temporary); err != nil {
		os.Remove(temporary)
		return err
	}
	file, err := os.OpenFile(temporary, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(file.Sync(), file.Close())
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
