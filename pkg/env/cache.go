package env

import (
	"fmt"
	"os"
	"path/filepath"
)

// CacheDir is where Attune keeps what it can make again, such as the built kernel: the folder attune in the user's cache folder (XDG_CACHE_HOME on Linux). It need
// not exist.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep built files in: %w; set XDG_CACHE_HOME or HOME", err)
	}
	return filepath.Join(dir, "attune"), nil
}
