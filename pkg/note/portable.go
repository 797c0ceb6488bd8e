package note

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

// portable writes a string without this machine's paths: an absolute path is relative to the repository or to the
// caller's directory where it lies inside, its last element elsewhere; the home directory is ~.
func (r *Run) portable(s string) string {
	if filepath.IsAbs(s) {
		for _, base := range []string{r.root, r.dir, callerDir()} {
			if rel, ok := inside(base, s); ok {
				return rel
			}
		}
		if _, err := os.Stat(s); err == nil {
			return "…/" + filepath.Base(s)
		}
	}
	if r.root != "" {
		s = strings.ReplaceAll(s, r.root+string(filepath.Separator), "")
	}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		s = strings.ReplaceAll(s, home+string(filepath.Separator), "~/")
	}
	return s
}

// inside is path relative to base, with slashes, if it lies in it.
func inside(base, path string) (string, bool) {
	if base == "" || base == string(filepath.Separator) {
		return "", false
	}
	rel, err := filepath.Rel(base, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// encodeParameters is the JSON object of the run's final parameters: those given, or the runner's.
func (r *Run) encodeParameters(given map[string]any) (json.RawMessage, error) {
	if text := os.Getenv(envParameters); given == nil && text != "" {
		if err := decode([]byte(text), &given); err != nil {
			return nil, fmt.Errorf("note: %s is no JSON object: %w", envParameters, err)
		}
	}
	out := make(map[string]any, len(given))
	for k, v := range given {
		v, err := report.Plain(v)
		if err != nil {
			return nil, fmt.Errorf("note: parameter %q is %w", k, err)
		}
		if s, ok := v.(string); ok {
			v = r.portable(s)
		}
		out[k] = v
	}
	b, err := encode(out)
	if err != nil {
		return nil, fmt.Errorf("note: parameters: %w", err)
	}
	return b, nil
}
