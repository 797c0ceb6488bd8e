package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// United is what the parts made together.
type United struct {
	store.Merged
	Store   string   // folder that has all results
	Devices []string // numerics that they were computed with: one, unless the submission is mixed
}

// CheckStore finds out whether results can be put into a store.
func CheckStore(s *store.Store) error {
	err := os.MkdirAll(s.Dir(), 0o777)
	if err == nil {
		var file *os.File
		if file, err = os.CreateTemp(s.Dir(), ".attune-*"); err == nil {
			err = errors.Join(file.Close(), os.Remove(file.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("the store %s cannot be written: %w: set ATTUNE_STORE to a folder that can", s.Dir(), err)
	}
	return nil
}

// Merge unites what the parts computed: in the store that the submission began with, or, where results of several devices are united, in one of the submission's own. A part that is
// not done, another device, an item without a result, and unequal results of an item are errors; nothing is computed in their place. Merging again changes nothing.
func (s *Submission) Merge() (*United, error) {
	done := make([]Done, s.Parts)
	var open []int
	for part := 1; part <= s.Parts; part++ {
		d, ok, err := readState[Done](s, part, "done.json")
		if err != nil {
			return nil, err
		}
		if !ok {
			open = append(open, part)
		}
		done[part-1] = d
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("parts %s are not done: status says why, resume continues them", ranges(open))
	}
	u := &United{}
	if err := s.oneDevice(done, u); err != nil {
		return nil, err
	}
	if err := complete(done); err != nil {
		return nil, err
	}
	to, err := s.Base()
	as := func(j store.Job) []store.Job { return []store.Job{j} }
	if s.Mixed {
		to, err = store.Open(s.path("store"))
		as = func(j store.Job) (all []store.Job) {
			for _, device := range u.Devices {
				j.Numerics = device
				all = append(all, j)
			}
			return all
		}
	}
	if err == nil {
		err = CheckStore(to)
	}
	if err != nil {
		return nil, err
	}
	u.Store = to.Dir()
	from := make([]*store.Store, s.Parts)
	for part := range from {
		if from[part], err = s.PartStore(part + 1); err != nil {
			return nil, err
		}
	}
	if err := found(to, from, done); err != nil {
		return nil, err
	}
	u.Merged, err = to.MergeAs("submission-"+s.Submitted.UTC().Format("20060102T150405"), as, from...)
	return u, err
}

// oneDevice collects the devices of the parts, and refuses several unless they may be united.
func (s *Submission) oneDevice(done []Done, u *United) error {
	of := map[string]int{}
	for i, d := range done {
		if !slices.Contains(u.Devices, d.Device) && d.Device != "" {
			u.Devices = append(u.Devices, d.Device)
			of[d.Device] = i + 1
		}
	}
	if len(u.Devices) > 1 && !s.Mixed {
		return fmt.Errorf("part %d was computed with %q, part %d with %q: results of different devices are not united unless submit was told --mixed",
			of[u.Devices[0]], u.Devices[0], of[u.Devices[1]], u.Devices[1])
	}
	return nil
}

// complete checks that the parts' shares make up every request.
func complete(done []Done) error {
	for part, d := range done {
		if len(d.Answered) != len(done[0].Answered) {
			return fmt.Errorf("part 1 answered %d requests and part %d %d: their plans differ; submit again", len(done[0].Answered), part+1, len(d.Answered))
		}
	}
	for request := range done[0].Answered {
		items, of := 0, done[0].Answered[request].Of
		for part, d := range done {
			a := d.Answered[request]
			if a.Of != of {
				return fmt.Errorf("request %d has %d items in part 1 and %d in part %d: a file that it reads was changed between them; submit again", request+1, of, a.Of, part+1)
			}
			items += len(a.Items)
		}
		if items != of {
			return fmt.Errorf("request %d: the parts have %d of %d items: a file that it reads was changed between them; submit again", request+1, items, of)
		}
	}
	return nil
}

// found checks that every item which a part answered has a result, in its store or in the one that it began with.
func found(to *store.Store, from []*store.Store, done []Done) error {
	before := map[store.Key]map[string]bool{} // of to, where a part has not all
	for part, d := range done {
		for _, a := range d.Answered {
			for _, key := range a.Jobs {
				have, err := from[part].Items(key)
				if err != nil {
					return err
				}
				for _, item := range a.Items {
					if have[item] {
						continue
					}
					if before[key] == nil {
						if before[key], err = to.Items(key); err != nil {
							return err
						}
					}
					if !before[key][item] {
						return fmt.Errorf("part %d says that it is done, and item %.12s has no result under job %.12s: its store was changed; remove its done.json and resume", part+1, item, key)
					}
				}
			}
		}
	}
	return nil
}

// CheckSources compares the sources of the repository with those of the submission: the cells of other ones would look for other results.
func (s *Submission) CheckSources() error {
	now, err := client.Sources(s.Root)
	if err != nil {
		return err
	}
	if now != s.Sources {
		return fmt.Errorf("the sources in %s were edited since the submission (%.12s then, %.12s now), and cells built from them would look for other results: check out what was submitted and resume, or submit again", s.Root, s.Sources, now)
	}
	return nil
}

// Finished notes how the last job ended.
func (s *Submission) Finished(cause error) error {
	path := s.PartDir(0)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	r := &Reporter{dir: path}
	if cause != nil {
		return r.Fail(cause)
	}
	err := os.Remove(path + "/failed.json")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
