package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"github.com/attune-lab/attune/pkg/env"
)

const (
	// parallel downloads: more does not help one machine's line, and huggingface_hub uses 8.
	parallel = 4
	// progressEvery keeps a callback that draws from slowing the download.
	progressEvery = 100 * time.Millisecond
	lockEvery     = 100 * time.Millisecond
)

// fetch brings the wanted files of the listing into the cache and returns the bytes that came over the network. The small files come first:
// the index among them says which weights are wanted.
func (r *resolver) fetch(ctx context.Context, l *listing) (int64, error) {
	meter := &meter{report: r.options.Progress, done: map[string]int64{}}
	if err := r.fetchAll(ctx, l.commit, l.small, meter); err != nil {
		return meter.network, err
	}
	var index []byte
	if l.has(l.small, indexName) {
		text, err := env.ReadFile(filepath.Join(r.cache.snapshot(l.commit), indexName), maxListing)
		if err != nil {
			return meter.network, fmt.Errorf("hub: %w", err)
		}
		index = text
	}
	wanted, err := l.wantedWeights(index)
	if err != nil {
		return meter.network, err
	}
	l.weights = wanted
	err = r.fetchAll(ctx, l.commit, wanted, meter)
	meter.flush()
	return meter.network, err
}

func (r *resolver) fetchAll(ctx context.Context, commit string, files []file, m *meter) error {
	var missing []file
	for _, f := range files {
		if r.cache.has(commit, f.Name) {
			continue
		}
		if !isHash(f.Blob) {
			asked, err := r.client.headers(ctx, r.ref, commit, f)
			if err != nil {
				return err
			}
			f = asked
		}
		if !isHash(f.Blob) || f.Size < 0 {
			return fmt.Errorf("hub: %s: the hub names no hash for %s, so that it cannot be checked: check HF_ENDPOINT", r.ref, f.Name)
		}
		missing = append(missing, f)
		m.expect(f)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, f := range missing {
		group.Go(func() error {
			if err := r.fetchOne(ctx, commit, f, m); err != nil {
				return err
			}
			return r.cache.link(commit, f)
		})
	}
	return group.Wait()
}

// fetchOne makes sure that the bytes of f are in the cache. The lock is that of huggingface_hub, so that a Python program
// fetching the same file is waited for, not written over.
func (r *resolver) fetchOne(ctx context.Context, commit string, f file, m *meter) error {
	blob := r.cache.blob(f.Blob)
	if sized(blob, f.Size) {
		m.at(f, f.Size, 0)
		return nil
	}
	for _, dir := range []string{filepath.Dir(blob), r.cache.lock} {
		if err := os.MkdirAll(dir, dirPerm); err != nil {
			return fmt.Errorf("hub: the cache cannot be written (%w): set HF_HUB_CACHE to a folder that can", err)
		}
	}
	lock := flock.New(filepath.Join(r.cache.lock, f.Blob+".lock"))
	if _, err := lock.TryLockContext(ctx, lockEvery); err != nil {
		return fmt.Errorf("hub: waiting for another program to fetch %s: %w", f.Name, err)
	}
	defer lock.Unlock()
	if sized(blob, f.Size) {
		m.at(f, f.Size, 0)
		return nil
	}
	d := &download{client: r.client, ref: r.ref, commit: commit, file: f, path: blob + ".incomplete", meter: m}
	if err := d.run(ctx); err != nil {
		return err
	}
	if err := os.Rename(d.path, blob); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

func sized(path string, size int64) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.Mode().IsRegular() && stat.Size() == size
}

// isHash says whether name can be a blob: a git SHA-1 or a SHA-256 in hexadecimal. Nothing else becomes a file's name.
func isHash(name string) bool {
	if len(name) != 40 && len(name) != 64 {
		return false
	}
	for _, c := range name {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// removeIfThere is for a partial file that turned out to be worth nothing.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

// meter adds up the progress of files that come in side by side.
type meter struct {
	mu      sync.Mutex
	report  func(Progress)
	done    map[string]int64
	state   Progress
	network int64
	last    time.Time
}

func (m *meter) expect(f file) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Total += f.Size
}

// at notes that f has done bytes by now, network of which came since the last call.
func (m *meter) at(f file, done, network int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Done += done - m.done[f.Name]
	m.done[f.Name] = done
	m.network += network
	m.state.File = f.Name
	if m.report != nil && time.Since(m.last) >= progressEvery {
		m.last = time.Now()
		m.report(m.state)
	}
}

// flush reports the end, which the rate limit may have swallowed.
func (m *meter) flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.report != nil && m.state.Total > 0 {
		m.report(m.state)
	}
}
