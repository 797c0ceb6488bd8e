package note

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// owner is whose run directory it is: a file in work/note.
type owner struct {
	ID     string `json:"id"`
	Runner bool   `json:"runner"` // the recipe runner holds the directory's lock for it
	PID    int    `json:"pid"`    // of the kernel; of this process where there is none
	Start  string `json:"start"`  // of that process, as the system counts; "" where it does not tell
}

// us is the owner that this process belongs to.
func us(id string) owner {
	o := owner{ID: id, Runner: os.Getenv(env.RunID) != "", PID: os.Getpid()}
	if os.Getenv(protocol.GONB_TMP_DIR_ENV) != "" {
		o.PID = os.Getppid() // GoNB starts a cell's program itself
	}
	o.Start = startOf(o.PID)
	return o
}

// lives reports whether the owner's process is still there, and not another one of the same number.
func (o owner) lives() bool {
	p, err := os.FindProcess(o.PID)
	if err != nil || o.PID <= 0 {
		return false
	}
	if runtime.GOOS != "windows" { // where FindProcess opens the process itself
		if err := p.Signal(syscall.Signal(0)); err != nil && !errors.Is(err, os.ErrPermission) {
			return false
		}
	}
	return o.Start == "" || o.Start == startOf(o.PID)
}

// startOf is when a process started, in clock ticks since the system did (proc(5), stat, field 22).
func startOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(b), ") ") // the name before may hold anything
	if fields := strings.Fields(after[strings.LastIndex(after, ") ")+1:]); len(fields) > 19 {
		return fields[19]
	}
	return ""
}

func (r *Run) ownerFile() string { return filepath.Join(r.notes(), "owner.json") }

func (r *Run) readOwner() (owner, bool) {
	var o owner
	b, err := os.ReadFile(r.ownerFile())
	return o, err == nil && json.Unmarshal(b, &o) == nil
}

// InUse is an error where a notebook in a live kernel writes into a run directory. The recipe runner asks before it clears one: a kernel's cells hold
// the directory's lock for moments only.
func InUse(dir string) error {
	r := &Run{dir: dir}
	if o, ok := r.readOwner(); ok && !o.Runner && o.lives() {
		return r.taken(o)
	}
	return nil
}

func (r *Run) taken(o owner) error {
	return fmt.Errorf("note: %s belongs to run %s, whose process %d is alive: end it (or restart that notebook's kernel), or choose another directory", r.dir, o.ID, o.PID)
}

// claim makes the run the directory's, unless another one lives in it, and removes the state of runs that have ended.
func (r *Run) claim(id string) error {
	mine := us(id)
	theirs, ok := r.readOwner()
	if ok && theirs.ID != id && theirs.lives() && !(mine.Runner && theirs.Runner) { // the runner's lock has settled it between two of its runs
		return r.taken(theirs)
	}
	if ok && theirs == mine {
		return nil
	}
	if err := writeJSON(r.ownerFile(), mine); err != nil {
		return err
	}
	if theirs.ID == id {
		return nil
	}
	entries, err := os.ReadDir(r.notes())
	if err != nil {
		return fmt.Errorf("note: %w", err)
	}
	for _, e := range entries {
		state := filepath.Join(r.notes(), e.Name())
		if _, err := os.Stat(filepath.Join(state, "current")); err == nil && e.Name() != id {
			if err := os.RemoveAll(state); err != nil {
				return fmt.Errorf("note: the state of run %s, which has ended: %w", e.Name(), err)
			}
		}
	}
	return nil
}

// owned refuses to write into a directory that another run has taken over.
func (r *Run) owned() error {
	id := filepath.Base(filepath.Dir(r.state))
	if o, ok := r.readOwner(); ok && o.ID != id {
		return fmt.Errorf("note: %s was taken over by run %s: nothing of run %s is written into it any more", r.dir, o.ID, id)
	}
	return nil
}

// locked runs f while no other process changes the directory. Under the recipe runner the runner holds the lock for all its cells.
func (r *Run) locked(f func() error) error {
	if err := os.MkdirAll(r.notes(), 0o755); err != nil {
		return fmt.Errorf("note: %w", err)
	}
	if os.Getenv(env.RunID) != "" {
		return f()
	}
	var lock *env.FileLock
	var err error
	for range 40 { // another cell's lock lasts milliseconds
		lock, err = env.TryLock(filepath.Join(r.dir, "run.lock"), fmt.Sprintf("process %d, a notebook's cell", os.Getpid()))
		var held *env.LockedError
		if err == nil || !errors.As(err, &held) || held.Stale || held.Holder != "" && !strings.Contains(held.Holder, "a notebook's cell") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("note: the run directory is in use: %w: wait for that run to end, or choose another directory", err)
	}
	defer lock.Unlock()
	return f()
}
