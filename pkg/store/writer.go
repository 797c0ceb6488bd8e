package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// header is the first line of every part: it keeps us from reading, or cutting, a file that is something else.
const header = `{"store":"attune/records","version":1}` + "\n"

// syncEvery is how much computing a power failure may cost.
const syncEvery = time.Second

// line is a record in a part; its run is the file's name.
type line struct {
	Item string          `json:"item"`
	Data json.RawMessage `json:"data"`
}

// Writer appends records to one part of a job. It may be used by several goroutines.
type Writer struct {
	mu     sync.Mutex
	file   *os.File // nil where nothing is stored
	synced time.Time
	users  int
}

// runName is what a run may be called: it is a file's name.
var runName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// open holds the parts that this process writes, by path: those who write one part share it.
var open = struct {
	sync.Mutex
	parts map[string]*Writer
}{parts: map[string]*Writer{}}

// Writer opens the part that a run, or a shard of it named run-shard, writes for a job, and appends to what is there; a last line that was not written whole is cut.
// Where the job's code is unknown, what is put is forgotten.
func (s *Store) Writer(j Job, run string) (*Writer, error) {
	if !runName.MatchString(run) {
		return nil, fmt.Errorf("store: run %q: expected letters, digits and ._- only, at most 100: it becomes a file's name", run)
	}
	if j.Code == "" {
		return &Writer{users: 1}, nil
	}
	folder, err := s.begin(j)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, run+partExt)
	open.Lock()
	defer open.Unlock()
	if w := open.parts[path]; w != nil {
		w.users++
		return w, nil
	}
	w := &Writer{users: 1, synced: time.Now()}
	if w.file, err = openPart(path); err != nil {
		return nil, err
	}
	open.parts[path] = w
	return w, nil
}

// openPart opens a part for appending, checked and without a torn end.
func openPart(path string) (*os.File, error) {
	keep, err := readPart(path, func(string, json.RawMessage) error { return nil })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err = file.Truncate(keep); err == nil && keep == 0 {
		_, err = file.WriteString(header)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %s: %w", path, err), file.Close())
	}
	return file, nil
}

// Put appends records in one go. Their Run is the writer's, whatever they say.
func (w *Writer) Put(records ...Record) error {
	var text bytes.Buffer
	for _, r := range records {
		if r.Item == "" {
			return errors.New("store: a record without an item")
		}
		var data bytes.Buffer
		if err := json.Compact(&data, r.Data); err != nil {
			return fmt.Errorf("store: item %s: its result is not JSON: %w", r.Item, err)
		}
		item, err := json.Marshal(r.Item)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		fmt.Fprintf(&text, `{"item":%s,"data":%s}`+"\n", item, data.Bytes())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	if _, err := w.file.Write(text.Bytes()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if time.Since(w.synced) < syncEvery {
		return nil
	}
	w.synced = time.Now()
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// Close brings everything to the disk.
func (w *Writer) Close() error {
	open.Lock()
	defer open.Unlock()
	w.users--
	if w.users > 0 || w.file == nil {
		return nil
	}
	delete(open.parts, w.file.Name())
	w.mu.Lock()
	defer w.mu.Unlock()
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// readPart gives every complete line of a part to each, and returns how many bytes they are. A last line that was not written whole is left out; a broken line before
// it, or a file that is not a part, is an error.
func readPart(path string, each func(item string, data json.RawMessage) error) (keep int64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	if !bytes.HasPrefix(text, []byte(header)) {
		if bytes.HasPrefix([]byte(header), text) {
			return 0, nil // new, or torn in its first line
		}
		return 0, fmt.Errorf("store: %s:1: no records of this version: expected the line %s; move the file away", path, bytes.TrimSpace([]byte(header)))
	}
	at := len(header)
	for number := 2; at < len(text); number++ {
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 {
			break
		}
		var l line
		if err := json.Unmarshal(text[at:at+end], &l); err != nil || l.Item == "" || len(l.Data) == 0 {
			if at+end+1 == len(text) {
				break
			}
			return 0, fmt.Errorf("store: %s:%d: broken line before the end (%v): something else wrote into the file; cut it before this line to keep what precedes it", path, number, err)
		}
		if err := each(l.Item, l.Data); err != nil {
			return 0, fmt.Errorf("store: %s:%d: %w", path, number, err)
		}
		at += end + 1
	}
	return int64(at), nil
}
