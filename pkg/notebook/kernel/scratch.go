package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

const (
	scratchPrefix = "attune-kernel-" // of folders in the system's temporary folder
	lockName      = "owner.lock"
	bareFor       = time.Minute // a folder without a lock is being made, or its maker died making it
)

// scratch is a temporary folder of a kernel or a build, and the mark of the processes that belong to it: they have ATTUNE_KERNEL_ID=<id> in their
// environment. Neither outlives this process by much:
//
//   - close kills the processes and removes the folder.
//   - When this process dies without that, a guard does it (Linux).
//   - When the guard died as well, the next newScratch on this machine does it: the folder's lock is free then.
type scratch struct {
	id, dir string
	lock    *env.FileLock
	guard   *guard
}

// newScratch makes a folder, and ends what dead processes left behind.
func newScratch() (*scratch, error) {
	Sweep()
	dir, err := os.MkdirTemp("", scratchPrefix)
	if err != nil {
		return nil, err
	}
	s := &scratch{id: randomID(), dir: dir}
	if s.lock, err = env.TryLock(filepath.Join(dir, lockName), s.id); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("the temporary folder: %w", err)
	}
	s.guard = startGuard(s.id, dir)
	return s, nil
}

// mark is the entry of the environment by which processes are found.
func (s *scratch) mark() string { return env.KernelID + "=" + s.id }

// environment adds the mark and the folder for temporary files to an environment.
func (s *scratch) environment(of []string) []string {
	return append(of[:len(of):len(of)], s.mark(), "TMPDIR="+s.dir, "TMP="+s.dir, "TEMP="+s.dir)
}

func (s *scratch) close() {
	killMarked(s.mark())
	os.RemoveAll(s.dir)
	s.guard.dismiss()
	s.lock.Unlock()
}

// Sweep ends the kernels, builds and cells of runners that were killed, and removes their folders: a folder whose lock nobody holds has no owner. Starting a
// kernel or a build does it first.
func Sweep() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchPrefix+"*"))
	for _, dir := range folders {
		path := filepath.Join(dir, lockName)
		id, err := os.ReadFile(path)
		if err != nil {
			if info, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) || err == nil && time.Since(info.ModTime()) > bareFor {
				os.RemoveAll(dir)
			}
			continue
		}
		lock, err := env.TryLock(path, "being removed")
		if err != nil {
			continue // its owner lives, or it is another user's
		}
		if id := strings.TrimSpace(string(id)); len(id) == 32 { // 128 bits: never another process's
			killMarked(env.KernelID + "=" + id)
		}
		os.RemoveAll(dir)
		lock.Unlock()
	}
}
