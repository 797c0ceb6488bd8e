package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// Files fetches files of a data set into the cache, or finds them there, and returns their paths in the order of their names. choose picks them among the
// names of all files, which are sorted and use slashes. Offline, they are the files of the cached copy.
func Files(ctx context.Context, ref Ref, choose func(names []string) ([]string, error), o Options) (paths []string, info Info, err error) {
	token := readToken()
	defer func() {
		err = scrub(err, token)
		info.Reason = scrubText(info.Reason, token)
	}()
	c, err := newClient(o, token)
	if err != nil {
		return nil, Info{}, err
	}
	cache, err := openCache(o.CacheDir, ref)
	if err != nil {
		return nil, Info{}, err
	}
	return (&resolver{ref: ref, cache: cache, client: c, options: o}).files(ctx, choose)
}

func (r *resolver) files(ctx context.Context, choose func([]string) ([]string, error)) ([]string, Info, error) {
	info := Info{Source: sourceData, Repo: r.ref.Repo, Revision: r.ref.Revision, Cached: true}
	cached := func(why string) ([]string, Info, error) {
		commit, names, err := r.cache.cachedNames(r.ref.Revision)
		if err != nil {
			return nil, Info{}, fmt.Errorf("hub: %s: %w (%s; %w in %s): connect once and run it again", r.ref, ErrOffline, why, err, r.cache.root)
		}
		chosen, err := choose(names)
		if err != nil {
			return nil, Info{}, err
		}
		for _, name := range chosen {
			if !r.cache.has(commit, name) {
				return nil, Info{}, fmt.Errorf("hub: %s: %w (%s; %s of commit %s is not in %s): connect once and run it again", r.ref, ErrOffline, why, name, commit, r.cache.root)
			}
		}
		info.Commit, info.Offline, info.Reason = commit, true, why
		return r.cache.paths(commit, chosen), info, nil
	}
	if r.options.Offline || envTrue("HF_HUB_OFFLINE") {
		return cached("the network is switched off (HF_HUB_OFFLINE or Options.Offline)")
	}
	if fullCommit.MatchString(r.ref.Revision) {
		if paths, _, err := cached(""); err == nil { // a commit never changes
			info.Offline = false
			return paths, info, nil
		}
	}
	commit, files, err := r.client.listing(ctx, r.ref)
	if err != nil {
		if ctx.Err() == nil && fallsBack(err) {
			if paths, info, cachedErr := cached(whyCached(err)); cachedErr == nil {
				return paths, info, nil
			}
		}
		return nil, Info{}, err
	}
	byName := make(map[string]file, len(files))
	var names []string
	for _, f := range files {
		// A name that climbs out of the snapshot is left out, and one that acts on a terminal.
		if filepath.IsLocal(f.Name) && !strings.ContainsAny(f.Name, `\:`) && printable(f.Name) {
			names = append(names, f.Name)
			byName[f.Name] = f
		}
	}
	slices.Sort(names)
	chosen, err := choose(names)
	if err != nil {
		return nil, Info{}, err
	}
	var wanted []file
	for _, name := range chosen {
		wanted = append(wanted, byName[name])
	}
	m := &meter{report: r.options.Progress, done: map[string]int64{}}
	err = r.fetchAll(ctx, commit, wanted, m)
	m.flush()
	if err != nil {
		return nil, Info{}, err
	}
	if err := r.cache.noteNames(r.ref.Revision, commit, names); err != nil {
		return nil, Info{}, err
	}
	info.Commit, info.Fetched, info.Cached = commit, m.network, m.network == 0
	return r.cache.paths(commit, chosen), info, nil
}

// paths are the places of files in a snapshot.
func (c *cache) paths(commit string, names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(c.snapshot(commit), filepath.FromSlash(name))
	}
	return paths
}

// noteNames remembers what a commit holds, and where the revision stands.
func (c *cache) noteNames(rev, commit string, names []string) error {
	text, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if err := writeFile(c.listingPath(commit), text); err != nil {
		return err
	}
	if rev == commit {
		return nil
	}
	return writeFile(filepath.Join(c.dir, "refs", filepath.FromSlash(rev)), []byte(commit))
}

// cachedNames are the files of the commit that the revision last stood at: all of them where they were noted, or those that Python fetched.
func (c *cache) cachedNames(rev string) (commit string, names []string, err error) {
	commit, missing := c.standsAt(rev)
	if commit == "" {
		return "", nil, errors.New(missing)
	}
	if text, err := env.ReadFile(c.listingPath(commit), maxListing); err == nil && json.Unmarshal(text, &names) == nil {
		return commit, slices.DeleteFunc(names, func(name string) bool { return !filepath.IsLocal(name) }), nil
	}
	root := c.snapshot(commit)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("no copy of commit %s", commit)
	}
	slices.Sort(names)
	return commit, names, nil
}
