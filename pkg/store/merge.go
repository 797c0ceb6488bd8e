package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// Over is the store with others below it: what they know is read too, and nothing is written to them.
func (s *Store) Over(below ...*Store) *Store {
	over := *s
	over.below = append(slices.Clone(s.below), below...)
	return &over
}

// Merged counts what a merge added.
type Merged struct {
	Jobs    int // that the stores have results of
	Records int // new ones
	Blobs   int // new ones
}

// Merge puts what other stores hold into this one: the union of their records, as one part of each job named run, and their blobs. It is the whole or nothing for each
// job, and merging again changes nothing. Results of an item, or blobs of a name, that are not equal are an error that names both places.
func (s *Store) Merge(run string, from ...*Store) (Merged, error) {
	return s.MergeAs(run, func(j Job) []Job { return []Job{j} }, from...)
}

// MergeAs is Merge for results that go to other jobs than those they were computed as: as names them.
func (s *Store) MergeAs(run string, as func(Job) []Job, from ...*Store) (merged Merged, err error) {
	if !runName.MatchString(run) {
		return merged, fmt.Errorf("store: run %q: expected letters, digits and ._- only, at most 100: it becomes a file's name", run)
	}
	folders := map[Key][]string{} // of each job that is written
	jobs := map[Key]Job{}
	for _, source := range from {
		for j, err := range source.Jobs() {
			if err != nil {
				return merged, err
			}
			for _, to := range as(j) {
				key := to.Key()
				jobs[key] = to
				folders[key] = append(folders[key], source.folder(j.Key()))
			}
		}
	}
	keys := make([]Key, 0, len(jobs))
	for key := range jobs {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		records, blobs, err := s.mergeJob(jobs[key], run, folders[key])
		if err != nil {
			return merged, err
		}
		merged.Jobs, merged.Records, merged.Blobs = merged.Jobs+1, merged.Records+records, merged.Blobs+blobs
	}
	return merged, nil
}

// mergeJob unites the folders of one job.
func (s *Store) mergeJob(j Job, run string, folders []string) (records, blobs int, err error) {
	found, err := s.Load(j)
	if err != nil {
		return 0, 0, err
	}
	own := make([]string, 0, len(found)) // what the run's part holds afterwards
	for item, r := range found {
		if r.Run == run {
			own = append(own, item)
		}
	}
	before := len(found)
	for _, folder := range folders {
		if err := loadFolder(folder, found, func(item string) { own = append(own, item) }); err != nil {
			return 0, 0, err
		}
	}
	folder, err := s.begin(j)
	if err != nil {
		return 0, 0, err
	}
	for _, from := range folders {
		n, err := mergeBlobs(folder, from)
		blobs += n
		if err != nil {
			return 0, blobs, err
		}
	}
	if len(found) == before {
		return 0, blobs, nil
	}
	slices.Sort(own)
	err = env.WriteFile(filepath.Join(folder, run+partExt), 0o666, func(w io.Writer) error {
		text := bytes.NewBufferString(header)
		for _, item := range own {
			name, err := json.Marshal(item)
			if err != nil {
				return err
			}
			fmt.Fprintf(text, `{"item":%s,"data":%s}`+"\n", name, found[item].Data)
			if text.Len() > 1<<20 {
				if _, err := text.WriteTo(w); err != nil {
					return err
				}
			}
		}
		_, err := text.WriteTo(w)
		return err
	})
	if err != nil {
		return 0, blobs, fmt.Errorf("store: %w", err)
	}
	return len(found) - before, blobs, nil
}

// mergeBlobs copies the blobs of a job's folder that another does not have.
func mergeBlobs(to, from string) (copied int, err error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != blobExt || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		text, err := os.ReadFile(source)
		if err != nil {
			return copied, fmt.Errorf("store: %w", err)
		}
		there, err := os.ReadFile(target)
		switch {
		case err == nil && bytes.Equal(there, text):
		case err == nil:
			return copied, fmt.Errorf("store: %s and %s are of one job and differ: something that the job does not name decided them; remove the one that you do not trust", source, target)
		case !errors.Is(err, fs.ErrNotExist):
			return copied, fmt.Errorf("store: %w", err)
		default:
			if err := env.WriteBytes(target, 0o666, text); err != nil {
				return copied, fmt.Errorf("store: %w", err)
			}
			copied++
		}
	}
	return copied, nil
}
