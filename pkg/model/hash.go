package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

// Hashing reads every byte of a checkpoint, which takes longer than everything else of opening it. So the hash of a large one is kept in the cache folder under what
// tells its files from any other: path, size, time of the last change, inode and header, and what was read of them.

// identified is a source that can tell its files from any other.
type identified interface {
	Identity() string
	ModTime() time.Time
}

// identity is that of a source's files; empty where it cannot tell.
func identity(src source) string {
	if id, ok := src.(identified); ok {
		return id.Identity()
	}
	return ""
}

func modTime(src source) time.Time {
	if id, ok := src.(identified); ok {
		return id.ModTime()
	}
	return time.Now()
}

const (
	leastHashed = 32 << 20        // bytes: less is hashed in no time
	settled     = 2 * time.Second // a file that was changed so lately may be changed again within the same tick of the file system's clock
)

var hexHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// hashFile is where the hash of a source is kept; empty where it is not.
func (m *Model) hashFile(src source) string {
	id := identity(src)
	if id == "" {
		return ""
	}
	size := 0
	key := sha256.New()
	fmt.Fprintln(key, id)
	for _, w := range m.weights {
		fmt.Fprintln(key, w.name, w.shape)
		size += w.size()
	}
	dir, err := env.CacheDir()
	if err != nil || size < leastHashed || time.Since(modTime(src)) < settled {
		return ""
	}
	return filepath.Join(dir, "weights", hex.EncodeToString(key.Sum(nil)))
}

// knownHash reads a kept hash; empty where there is none.
func knownHash(path string) string {
	if path == "" {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil || !hexHash.Match(data) {
		return ""
	}
	return string(data)
}

// keepHash writes a hash for the next time. Not being able to costs time then, nothing else.
func keepHash(path, hash string) {
	if path == "" {
		return
	}
	if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = env.WriteBytes(path, 0o644, []byte(hash))
	}
}
