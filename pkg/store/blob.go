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
	return s.blob(j, j.Kind+blobExt, make)
}

// PartBlob is Blob for what one part of the job's items gives.
func (s *Store) PartBlob(j Job, p Part, make func(path string) error) (path string, err error) {
	return s.blob(j, fmt.Sprintf("%s.part-%d-of-%d%s", j.Kind, p.Index, p.Of, blobExt), make)
}

// FindBlob is the path of a job's blob; "" where there is none.
func (s *Store) FindBlob(j Job) string {
	if found := s.glob(j, j.Kind+blobExt); len(found) > 0 {
		return found[0]
	}
	return ""
}

// PartBlobs are the paths of the blobs of a job's parts.
func (s *Store) PartBlobs(j Job) []string { return s.glob(j, j.Kind+".part-*-of-*"+blobExt) }

// glob finds files of a job, here and below.
func (s *Store) glob(j Job, pattern string) (paths []string) {
	if j.Code == "" {
		return nil
	}
	for _, from := range append([]*Store{s}, s.below...) {
		entries, _ := os.ReadDir(from.folder(j.Key())) // a folder that is not there has none
		for _, e := range entries {
			if ok, _ := filepath.Match(pattern, e.Name()); ok {
				paths = append(paths, filepath.Join(from.folder(j.Key()), e.Name()))
			}
		}
	}
	return paths
}

func (s *Store) blob(j Job, name string, make func(path string) error) (path string, err error) {
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
