package recipe

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
)

// RunInfo is a run directory in a line.
type RunInfo struct {
	Dir     string // absolute
	Recipe  string
	State   string // "finished", "running" or "unfinished"
	Changed time.Time
	Changes []Change // parameters that are not the recipe's defaults: A is the default
	Numbers int
}

// Runs lists the run directories below a folder, newest first: those that hold results.json, a lock or an executed notebook. Points of a sweep are below it.
func Runs(folder, recipes string) ([]RunInfo, error) {
	defaults := map[string]map[string]any{}
	if list, _ := List(recipes); list != nil {
		for _, r := range list {
			values := map[string]any{}
			for _, p := range r.Parameters {
				values[p.Name] = p.Default
			}
			defaults[r.Name] = values
		}
	}
	var out []RunInfo
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && path == folder {
				return fs.SkipAll
			}
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if name := d.Name(); name == "work" || name == "figures" || name == "tables" || name == "store" && filepath.Dir(path) == folder || strings.HasPrefix(name, ".") && path != folder {
			return fs.SkipDir
		}
		if info, is := runAt(path, defaults); is {
			out = append(out, info)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b RunInfo) int { return b.Changed.Compare(a.Changed) })
	return out, err
}

// runAt describes a directory if a run was made in it.
func runAt(dir string, defaults map[string]map[string]any) (RunInfo, bool) {
	info := RunInfo{Dir: dir, State: "unfinished"}
	if stat, err := os.Stat(filepath.Join(dir, "results.json")); err == nil {
		results, err := note.Load(dir)
		if err != nil {
			return info, false // some other program's
		}
		info.State, info.Changed, info.Recipe, info.Numbers = "finished", stat.ModTime(), results.Recipe, len(results.Results)
		if known := defaults[results.Recipe]; known != nil {
			for _, c := range changes(plain(known), results.Parameters, nil) {
				if c.B != "" { // a parameter that came later is no change
					info.Changes = append(info.Changes, c)
				}
			}
		}
	}
	lock := filepath.Join(dir, lockName)
	stat, err := os.Stat(lock)
	if err != nil {
		return info, info.State == "finished"
	}
	if info.Changed.IsZero() {
		info.Changed = stat.ModTime()
	}
	if info.Recipe == "" {
		if books, _ := filepath.Glob(filepath.Join(escaped(dir), "*.ipynb")); len(books) > 0 {
			info.Recipe = strings.TrimSuffix(filepath.Base(books[0]), ".ipynb")
		} else {
			info.Recipe = filepath.Base(filepath.Dir(dir))
		}
	}
	if stat.Size() > 0 { // a run that ended by itself left it empty; one that was killed did not
		held, err := env.TryLock(lock, "list --runs")
		if err != nil {
			info.State = "running"
		} else {
			held.Unlock()
		}
	}
	return info, true
}

// plain are values as JSON reads them, so that 200 of a notebook is the 200 of a file.
func plain(values map[string]any) map[string]any {
	b, err := json.Marshal(values)
	if err != nil {
		return values
	}
	out, err := object(b)
	if err != nil {
		return values
	}
	return out
}
