package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// Record is the result of one item.
type Record struct {
	Item string          // hash of the item
	Data json.RawMessage // the result
	Run  string          // that computed it, with its shard
}

// Store is a folder of results. Its methods may be called concurrently, by several processes, too.
type Store struct {
	dir       string
	temporary bool
	below     []*Store // that are read too, see Over
}

// Open opens a store, making its folder where it is first written to. An empty dir stands for ATTUNE_STORE, else runs/store in the repository.
func Open(dir string) (*Store, error) {
	if dir == "" {
		dir = os.Getenv(env.Store)
	}
	if dir == "" {
		root, err := env.Root()
		if err != nil {
			return nil, fmt.Errorf("store: %w, or set %s to a folder", err, env.Store)
		}
		dir = filepath.Join(root, "runs", "store")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("store: %s is a file, expected a folder", dir)
	}
	return &Store{dir: dir}, nil
}

// Fresh is an empty store in a temporary folder, which Close removes: what a recipe is checked against, since known results would only be read again.
func Fresh() *Store {
	return &Store{dir: filepath.Join(os.TempDir(), fmt.Sprintf("attune-store-%d-%08x", os.Getpid(), rand.Uint32())), temporary: true}
}

// Close removes the folder of a Fresh store; other stores have nothing to close.
func (s *Store) Close() error {
	if !s.temporary {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// folder of a job's files.
func (s *Store) folder(k Key) string { return filepath.Join(s.dir, string(k[:2]), string(k)) }

const (
	jobFile = "job.json"
	partExt = ".jsonl"
	blobExt = ".safetensors"
)

// begin makes the job's folder and its job.json.
func (s *Store) begin(j Job) (folder string, err error) {
	if err := j.check(); err != nil {
		return "", err
	}
	folder = s.folder(j.Key())
	path := filepath.Join(folder, jobFile)
	if _, err := os.Stat(path); err == nil {
		return folder, nil
	}
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	if err := env.WriteBytes(path, 0o666, append(text, '\n')); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return folder, nil
}

// Load reads the records of a job, by item: the union of all parts. Two runs that found different results for an item are an error that names both.
func (s *Store) Load(j Job) (map[string]Record, error) {
	found := map[string]Record{}
	if j.Code == "" {
		return found, nil
	}
	if err := j.check(); err != nil {
		return nil, err
	}
	for _, from := range append([]*Store{s}, s.below...) {
		if err := loadFolder(from.folder(j.Key()), found, nil); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// loadFolder adds the records of a job's folder to those that were found, and tells added, which may be nil, which items are new.
func loadFolder(folder string, found map[string]Record, added func(item string)) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, e := range entries { // sorted by name
		run, ok := strings.CutSuffix(e.Name(), partExt)
		if !ok {
			continue
		}
		_, err := readPart(filepath.Join(folder, e.Name()), func(item string, data json.RawMessage) error {
			before, known := found[item]
			if known && !bytes.Equal(before.Data, data) {
				return fmt.Errorf("item %s has unequal results in runs %s (%.200s) and %s (%.200s): something that the job does not name decided them; remove the part of the run that you do not trust",
					item, before.Run, before.Data, run, data)
			}
			if !known {
				found[item] = Record{Item: item, Data: data, Run: run}
				if added != nil {
					added(item)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Jobs lists the jobs that have a folder, in the order of their keys. A folder whose job cannot be read gives an error and the walk continues.
func (s *Store) Jobs() iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		paths, err := filepath.Glob(filepath.Join(s.dir, "??", "*", jobFile))
		if err != nil {
			yield(Job{}, fmt.Errorf("store: %w", err))
			return
		}
		for _, path := range paths {
			var j Job
			text, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(text, &j)
			}
			if err == nil && string(j.Key()) != filepath.Base(filepath.Dir(path)) {
				err = fmt.Errorf("it describes the job %s, not the one of its folder: the file was changed", j.Key())
			}
			if err != nil {
				err = fmt.Errorf("store: %s: %w", path, err)
			}
			if !yield(j, err) {
				return
			}
		}
	}
}

// Items are the items that have a record under a job's key.
func (s *Store) Items(k Key) (map[string]bool, error) {
	if len(k) != 64 {
		return nil, fmt.Errorf("store: key %q: expected 64 hexadecimal digits", k)
	}
	found := map[string]Record{}
	for _, from := range append([]*Store{s}, s.below...) {
		if err := loadFolder(from.folder(k), found, nil); err != nil {
			return nil, err
		}
	}
	items := make(map[string]bool, len(found))
	for item := range found {
		items[item] = true
	}
	return items, nil
}
