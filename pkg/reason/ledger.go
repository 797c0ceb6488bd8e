package reason

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Entry is what one arm computed for one example, in tokens of the model's tokenizer. Self-consistency counts every sample, its prompt included.
type Entry struct {
	Arm       string   `json:"arm"`
	Example   string   `json:"example"` // its hash
	ID        string   `json:"id"`      // for a reader
	Prompt    int      `json:"prompt"`  // what the answer is read after, less the reasoning: question, opening, cue, fillers
	Reasoning int      `json:"reasoning"`
	Answer    int      `json:"answer"`             // of the choice that was taken
	Ended     int      `json:"ended"`              // thoughts that ended by themselves within the budget
	Thoughts  []string `json:"thoughts,omitempty"` // what was reasoned, one text per sample
}

// Total is all of an entry's tokens.
func (e Entry) Total() int { return e.Prompt + e.Reasoning + e.Answer }

// Ledger keeps entries in memory and, if it has a path, as lines of JSON, so that a run that goes on from a journal still knows them. A nil Ledger keeps nothing.
type Ledger struct {
	mu      sync.Mutex
	path    string
	entries map[[2]string]Entry // by arm and example
}

// OpenLedger reads the ledger at a path, "" for one in memory only. A last line that was not written completely is left out; a broken one before it is an error.
func OpenLedger(path string) (*Ledger, error) {
	l := &Ledger{path: path, entries: map[[2]string]Entry{}}
	if path == "" {
		return l, nil
	}
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("reason: ledger: %w", err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	for n, line := range bytes.Split(bytes.TrimSuffix(text[:whole], []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil || e.Arm == "" || e.Example == "" {
			return nil, fmt.Errorf("%s:%d: not a line of a ledger (%v): cut the file before it to keep what precedes it", path, n+1, err)
		}
		l.entries[[2]string{e.Arm, e.Example}] = e
	}
	if whole < len(text) {
		if err := os.Truncate(path, int64(whole)); err != nil {
			return nil, fmt.Errorf("reason: ledger: cutting the torn end: %w", err)
		}
	}
	return l, nil
}

// add keeps entries; one of the same arm and example replaces what was there.
func (l *Ledger) add(entries []Entry) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, e := range entries {
		l.entries[[2]string{e.Arm, e.Example}] = e
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("reason: ledger: %w", err)
		}
	}
	if l.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil {
		return fmt.Errorf("reason: ledger: %w", err)
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("reason: ledger: %w", err)
	}
	if _, err := f.Write(lines.Bytes()); err != nil {
		f.Close()
		return fmt.Errorf("reason: ledger: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("reason: ledger: %w", err)
	}
	return nil
}

// Entry finds what an arm computed for an example.
func (l *Ledger) Entry(arm, example string) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[[2]string{arm, example}]
	return e, ok
}

// Usage sums an arm's entries up.
type Usage struct {
	N                         int     // examples
	Prompt, Reasoning, Answer float64 // tokens per example, means
	Ended                     float64 // share of the thoughts that ended by themselves within the budget; 0 without thoughts
}

// Total is all tokens per example.
func (u Usage) Total() float64 { return u.Prompt + u.Reasoning + u.Answer }

// Usage of an arm over the examples with the given hashes, those without an entry left out.
func (l *Ledger) Usage(arm string, examples []string) Usage {
	var u Usage
	thoughts, ended := 0, 0
	for _, example := range examples {
		e, ok := l.Entry(arm, example)
		if !ok {
			continue
		}
		u.N++
		u.Prompt, u.Reasoning, u.Answer = u.Prompt+float64(e.Prompt), u.Reasoning+float64(e.Reasoning), u.Answer+float64(e.Answer)
		thoughts, ended = thoughts+len(e.Thoughts), ended+e.Ended
	}
	if u.N > 0 {
		n := float64(u.N)
		u.Prompt, u.Reasoning, u.Answer = u.Prompt/n, u.Reasoning/n, u.Answer/n
	}
	if thoughts > 0 {
		u.Ended = float64(ended) / float64(thoughts)
	}
	return u
}
