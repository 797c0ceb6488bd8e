package source

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/gomlx/go-huggingface/hub"
)

// HubSet names files of a data set on the hub.
type HubSet struct {
	ID       string   // "owner/name"
	Revision string   // a commit, so that a run can be repeated; "" = main, which may change
	Files    []string // patterns of file names as path.Match has them, e.g. "data/train-*.parquet"; none means all files that [Rows] reads
	Token    string   // for private sets; "" = none. It is sent to the hub and stored nowhere
	Endpoint string   // "" = HF_ENDPOINT or https://huggingface.co
	CacheDir string   // "" = the hub's cache, shared with Python
}

// Fetch downloads what is not yet in the cache and returns the local paths, in alphabetical order of the names, for [Rows] or [OpenStream].
func (s HubSet) Fetch(ctx context.Context) ([]string, error) {
	repo := hub.New(s.ID).WithType(hub.RepoTypeDataset).WithAuth(s.Token).WithProgressBar(false)
	repo.Verbosity = 0
	if s.Revision != "" {
		repo = repo.WithRevision(s.Revision)
	}
	if s.Endpoint != "" {
		repo = repo.WithEndpoint(s.Endpoint)
	}
	if s.CacheDir != "" {
		repo = repo.WithCacheDir(s.CacheDir)
	}
	var chosen []string
	for name, err := range repo.IterFileNames() {
		if err != nil {
			return nil, fmt.Errorf("corpus: listing the files of data set %s: %w: is the name right, and is the network there?", s.ID, err)
		}
		wanted, err := s.wants(name)
		if err != nil {
			return nil, err
		}
		if wanted {
			chosen = append(chosen, name)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("corpus: data set %s has no file that is %q: look at its files on the hub", s.ID, s.patterns())
	}
	slices.Sort(chosen)
	paths, err := repo.DownloadFilesCtx(ctx, chosen...)
	if err != nil {
		return nil, fmt.Errorf("corpus: fetching data set %s: %w", s.ID, err)
	}
	return paths, nil
}

func (s HubSet) patterns() []string {
	if len(s.Files) > 0 {
		return s.Files
	}
	return []string{"*.csv", "*.jsonl", "*.parquet", "*.sections"}
}

// wants matches the whole name, or without given patterns its last part.
func (s HubSet) wants(name string) (bool, error) {
	if len(s.Files) == 0 {
		name = path.Base(name)
	}
	for _, pattern := range s.patterns() {
		matched, err := path.Match(pattern, name)
		if err != nil {
			return false, fmt.Errorf("corpus: file pattern %q: %w", pattern, err)
		}
		if matched {
			return true, nil
		}
	}
	return false, nil
}
