package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	hfhub "github.com/gomlx/go-huggingface/hub"

	"github.com/attune-lab/attune/pkg/env"
)

const (
	dirPerm  = 0o755
	filePerm = 0o644
)

// cache is the part of the shared cache that belongs to one repository.
type cache struct {
	root string // of all repositories
	dir  string // models--owner--name
	lock string // folder of its locks
}

// hfHome is the folder of everything the Python tools keep.
func hfHome() (string, error) {
	if home := os.Getenv("HF_HOME"); home != "" {
		return expandHome(home)
	}
	if xdg := os.Getenv("XDG_CACHE_HOME"); xdg != "" {
		return filepath.Join(xdg, "huggingface"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("hub: no home directory for the cache (%w): set HF_HOME to a folder", err)
	}
	return filepath.Join(home, ".cache", "huggingface"), nil
}

func expandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && !strings.HasPrefix(rest, "/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, rest), err
}

func openCache(root string, ref Ref) (*cache, error) {
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if root == "" {
			root = os.Getenv(name)
		}
	}
	if root == "" {
		home, err := hfHome()
		if err != nil {
			return nil, err
		}
		root = filepath.Join(home, "hub")
	}
	root, err := expandHome(root)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	folder := ref.repoType() + hfhub.RepoIdSeparator + strings.ReplaceAll(ref.Repo, "/", hfhub.RepoIdSeparator)
	return &cache{root: root, dir: filepath.Join(root, folder), lock: filepath.Join(root, ".locks", folder)}, nil
}

func (c *cache) snapshot(commit string) string { return filepath.Join(c.dir, "snapshots", commit) }
func (c *cache) blob(name string) string       { return filepath.Join(c.dir, "blobs", name) }

// listingPath remembers what a commit holds that is wanted. A commit never changes, so neither does this.
func (c *cache) listingPath(commit string) string {
	return filepath.Join(c.dir, "attune", commit+".json")
}

// has says whether the file's bytes are in the cache, and were linked into the snapshot.
func (c *cache) has(commit, name string) bool {
	stat, err := os.Stat(filepath.Join(c.snapshot(commit), name))
	return err == nil && stat.Mode().IsRegular()
}

// listedComplete says whether an earlier Resolve noted what the commit holds, and all of it is here.
func (c *cache) listedComplete(commit string) bool {
	text, err := env.ReadFile(c.listingPath(commit), maxListing)
	if err != nil {
		return false
	}
	var names []string
	if json.Unmarshal(text, &names) != nil || len(names) == 0 {
		return false
	}
	for _, name := range names {
		if !filepath.IsLocal(name) || !c.has(commit, name) {
			return false
		}
	}
	return true
}

// cachedCommit is the commit the revision last stood at, if a model can be opened from its snapshot; otherwise what is missing. A
// snapshot that Python made carries no list of its files, so the weights decide: one file, or every shard of the index.
func (c *cache) cachedCommit(rev string) (commit, missing string) {
	if commit, missing = c.standsAt(rev); commit == "" {
		return "", missing
	}
	if c.listedComplete(commit) {
		return commit, ""
	}
	for _, name := range c.needed(commit) {
		if !c.has(commit, name) {
			return "", fmt.Sprintf("%s of commit %s is not", name, commit)
		}
	}
	return commit, ""
}

// standsAt is the commit that the revision last stood at; "" with what is missing.
func (c *cache) standsAt(rev string) (commit, missing string) {
	if fullCommit.MatchString(rev) {
		return rev, ""
	}
	text, err := env.ReadFile(filepath.Join(c.dir, "refs", filepath.FromSlash(rev)), maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Sprintf("no copy of revision %s", rev)
	}
	if err != nil {
		return "", err.Error()
	}
	commit = strings.TrimSpace(string(text))
	if !fullCommit.MatchString(commit) {
		return "", fmt.Sprintf("the reference of revision %s is damaged", rev)
	}
	return commit, ""
}

// needed are the files without which nothing opens.
func (c *cache) needed(commit string) []string {
	names := []string{configName}
	index, err := env.ReadFile(filepath.Join(c.snapshot(commit), indexName), maxListing)
	if err != nil || c.has(commit, singleWeights) {
		return append(names, singleWeights)
	}
	shards, err := shardNames(index)
	if err != nil {
		return append(names, singleWeights)
	}
	return append(names, shards...)
}

// link puts the blob into the snapshot. Links are relative, as Python's are, so that the cache can be moved.
func (c *cache) link(commit string, f file) error {
	at := filepath.Join(c.snapshot(commit), f.Name)
	if err := os.MkdirAll(filepath.Dir(at), dirPerm); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	to, err := filepath.Rel(filepath.Dir(at), c.blob(f.Blob))
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("hub: %w", err)
	}
	if os.Symlink(to, at) == nil {
		return nil
	}
	// A file system without symbolic links: a second name for the same bytes serves as well.
	if err := os.Link(c.blob(f.Blob), at); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("hub: %s can be linked to its bytes neither by a symbolic nor by a hard link (%w): put the cache (HF_HUB_CACHE) on a file system that can", at, err)
	}
	return nil
}

// finish notes that the commit is complete, and where the revision stands. It comes last, so that whoever reads it finds all files.
func (c *cache) finish(rev string, l *listing) error {
	var names []string
	for _, f := range append(l.small, l.weights...) {
		names = append(names, f.Name)
	}
	return c.noteNames(rev, l.commit, names)
}

// writeFile replaces path as a whole: readers see the old text or the new.
func writeFile(path string, text []byte) error {
	if old, err := env.ReadFile(path, maxListing); err == nil && string(old) == string(text) {
		return nil // A cache that is read-only and up to date is a good cache.
	}
	if err := os.MkdirAll(filepath.Dir(path), dirPerm); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if err := env.WriteBytes(path, filePerm, text); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}
