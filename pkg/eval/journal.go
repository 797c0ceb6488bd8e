package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// journalHeader is the first line of every journal: it keeps us from appending to, or cutting, a file that is something else.
const journalHeader = `{"journal":"attune/eval","version":1}` + "\n"

// syncEvery is how much computing a power failure may cost. A killed process costs none of what was appended.
const syncEvery = time.Second

// Entry is a line of a journal: what one arm scored on one example.
type Entry struct {
	Key    string    `json:"key"` // of everything the scores depend on
	Task   string    `json:"task"`
	Arm    string    `json:"arm"`     // for a reader; the key tells arms apart
	ID     string    `json:"example"` // for a reader
	Scores []float64 `json:"scores"`  // log-likelihood of each choice
	// Detail is what a [Detailed] scorer said of it.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// Journal keeps results on disk as they come: append-only JSON lines. One process may write it at a time. Not safe for
// use by several goroutines.
type Journal struct {
	path   string
	file   *os.File
	done   map[string]Entry
	synced time.Time
	torn   int
}

// OpenJournal opens or makes a journal and reads what is in it. A last line that was not written completely is cut off; a
// broken line before the last, or a file that is no journal, is an error and the file is left as it is.
func OpenJournal(path string) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("eval: journal: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("eval: journal: %w", err)
	}
	j := &Journal{path: path, done: make(map[string]Entry), synced: time.Now()}
	keep, err := j.read(text)
	if err != nil {
		return nil, err
	}
	j.torn = len(text) - keep
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, fmt.Errorf("eval: journal: %w", err)
	}
	if err := j.file.Truncate(int64(keep)); err != nil {
		return nil, errors.Join(fmt.Errorf("eval: journal: cutting the torn end: %w", err), j.file.Close())
	}
	if keep == 0 {
		if _, err := j.file.WriteString(journalHeader); err != nil {
			return nil, errors.Join(fmt.Errorf("eval: journal: %w", err), j.file.Close())
		}
	}
	return j, nil
}

// read takes in the complete lines and returns how many bytes they are.
func (j *Journal) read(text []byte) (keep int, err error) {
	if !bytes.HasPrefix(text, []byte(journalHeader)) {
		if bytes.HasPrefix([]byte(journalHeader), text) {
			return 0, nil // new, or torn in its first line
		}
		return 0, fmt.Errorf("%s:1: not a journal of this version: expected the line %s; choose another path or move the file away", j.path, bytes.TrimSpace([]byte(journalHeader)))
	}
	keep = len(journalHeader)
	for line := 2; keep < len(text); line++ {
		end := bytes.IndexByte(text[keep:], '\n')
		if end < 0 {
			return keep, nil
		}
		var e Entry
		if err := json.Unmarshal(text[keep:keep+end], &e); err != nil || e.Key == "" || len(e.Scores) == 0 {
			if keep+end+1 == len(text) {
				return keep, nil
			}
			return 0, fmt.Errorf("%s:%d: broken line before the end of the journal (%v): something else wrote into it; cut the file before this line to keep what precedes it", j.path, line, err)
		}
		j.done[e.Key] = e
		keep += end + 1
	}
	return keep, nil
}

// Entry of a key, and whether it is known.
func (j *Journal) Entry(key string) (Entry, bool) {
	e, ok := j.done[key]
	return e, ok
}

// Len is the number of results known.
func (j *Journal) Len() int { return len(j.done) }

// Torn is the number of bytes that were cut off the end when the journal was opened.
func (j *Journal) Torn() int { return j.torn }

// Append writes entries in one go, and brings the file to the disk if that was last done some time ago. Scores must be finite.
func (j *Journal) Append(entries []Entry) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, e := range entries {
		for choice, score := range e.Scores {
			if math.IsNaN(score) || math.IsInf(score, 0) {
				return fmt.Errorf("eval: journal: arm %s, example %s, choice %d: score %v is not finite", e.Arm, e.ID, choice, score)
			}
		}
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("eval: journal: %w", err)
		}
	}
	if _, err := j.file.Write(lines.Bytes()); err != nil {
		return fmt.Errorf("eval: journal: %w", err)
	}
	for _, e := range entries {
		j.done[e.Key] = e
	}
	if time.Since(j.synced) < syncEvery {
		return nil
	}
	j.synced = time.Now()
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("eval: journal: %w", err)
	}
	return nil
}

// Close brings everything to the disk.
func (j *Journal) Close() error {
	if err := errors.Join(j.file.Sync(), j.file.Close()); err != nil {
		return fmt.Errorf("eval: journal: %w", err)
	}
	return nil
}
