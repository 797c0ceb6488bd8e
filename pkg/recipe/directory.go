package recipe

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/note"
)

// directory is the directory of a run, locked for it.
type directory struct {
	path string // absolute
	id   string // of the run
	lock *env.FileLock
}

// lockName is the file that a run holds locked as long as it lasts.
const lockName = "run.lock"

// runFiles are what a run writes at the top of its directory; they tell that a directory holds a run. Its work/ folder is
// kept when a run is repeated into the directory: what is long continues where it stopped.
func runFiles(name string) []string {
	return []string{name + ".ipynb", "results.json", "note.html", "note.md", "provenance.json", "arrays.safetensors"}
}

// openDirectory makes the run directory and locks it. By default it is a new one named by the time; a given one that holds a run is refused
// unless forced, and then that run's results are removed, so that they are never taken for the new one's.
func openDirectory(options Options, name string) (*directory, error) {
	path, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, err
	}
	if options.Dir == "" {
		path, err = newDirectory(filepath.Join(options.Root, "runs", name), time.Now())
	} else {
		err = os.MkdirAll(path, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("the run directory: %w", err)
	}
	lock, err := env.TryLock(filepath.Join(path, lockName), holder(options.Command))
	var locked *env.LockedError
	if errors.As(err, &locked) {
		return nil, fmt.Errorf("another run works in this directory: %w: wait for it or end it, or choose another directory with -o", err)
	}
	if err != nil {
		return nil, fmt.Errorf("the run directory: %w", err)
	}
	if err := note.InUse(path); err != nil {
		lock.Unlock()
		return nil, err
	}
	if err := clearDirectory(path, options, name); err != nil {
		lock.Unlock()
		return nil, err
	}
	return &directory{path: path, id: strings.ToLower(rand.Text()), lock: lock}, nil
}

// holder says in a line who holds the lock.
func holder(command string) string {
	text := fmt.Sprintf("process %d, started %s", os.Getpid(), time.Now().Format("2006-01-02 15:04:05"))
	if command != "" {
		text += ": " + command
	}
	return strings.Join(strings.Fields(text), " ")
}

// clearDirectory removes the results of an earlier run, where the options say so, and the temporary files of one that was killed.
func clearDirectory(path string, options Options, name string) error {
	for _, file := range runFiles(name) {
		earlier := filepath.Join(path, file)
		if !isFile(earlier) {
			continue
		}
		if !options.Force {
			return fmt.Errorf("%s already holds a run (%s): choose another directory with -o, or run into this one again with --force", options.Dir, file)
		}
		if err := os.Remove(earlier); err != nil {
			return fmt.Errorf("the earlier run in %s: %w", options.Dir, err)
		}
	}
	if options.Force { // logs of answers have the date of their run in their names
		earlier, err := logs.Written(path, "")
		if err != nil {
			return fmt.Errorf("the earlier run in %s: %w", options.Dir, err)
		}
		for _, file := range earlier {
			if err := os.Remove(file); err != nil {
				return fmt.Errorf("the earlier run in %s: %w", options.Dir, err)
			}
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("the run directory: %w", err)
	}
	for _, entry := range entries { // of env.WriteFile
		if name := entry.Name(); strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp") {
			os.Remove(filepath.Join(path, name))
		}
	}
	return nil
}

// newDirectory makes parent/TIME, with a number behind it when two runs start in the same second.
func newDirectory(parent string, now time.Time) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	base := filepath.Join(parent, now.UTC().Format("20060102T150405Z"))
	dir := base
	for i := 2; ; i++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil || !errors.Is(err, os.ErrExist) {
			return dir, err
		}
		dir = fmt.Sprintf("%s-%d", base, i)
	}
}
