package note

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

// Names of the environment variables that the recipe runner sets.
const (
	envRunDir     = env.RunDir
	envCallerDir  = env.CallerDir
	envBackend    = env.Backend
	envRecipe     = env.Recipe
	envParameters = env.Params
)

// Run is a run of a recipe, between Begin and Finish. It holds no state itself: everything is in its directory.
type Run struct {
	dir  string
	root string // the repository, "" when there is none around
}

// start is what Begin records.
type start struct {
	Recipe     string          `json:"recipe"`
	Title      string          `json:"title"`
	Asked      string          `json:"asked"`
	Parameters json.RawMessage `json:"parameters"`
	Started    time.Time       `json:"started"`
	Commit     commit          `json:"commit"`
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// checkName accepts what can be a file's name everywhere.
func checkName(kind, name string) error {
	if !nameRule.MatchString(name) || strings.HasSuffix(name, ".") {
		return fmt.Errorf("note: %s %q: want letters, digits, '.', '_' and '-', beginning with a letter or digit", kind, name)
	}
	return nil
}

// Begin starts a run: it clears what an earlier run of this package left in the run directory's work/note folder
// and records the recipe, its final parameter values, the time and the commit. Results of an earlier run stay
// until Finish replaces them. An empty recipe and nil parameters are taken from the runner's environment.
func Begin(recipe string, parameters map[string]any) (*Run, error) {
	if recipe == "" {
		recipe = os.Getenv(envRecipe)
	}
	if err := checkName("recipe", recipe); err != nil {
		return nil, err
	}
	root, rootErr := Root()
	dir := os.Getenv(envRunDir)
	interactive := dir == ""
	if interactive {
		if rootErr != nil {
			return nil, rootErr
		}
		dir = filepath.Join(root, "runs", recipe)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("note: run directory: %w", err)
	}
	r := &Run{dir: dir, root: root}
	params, err := r.encodeParameters(parameters)
	if err != nil {
		return nil, err
	}
	title, asked := describe(root, recipe)
	s := start{Recipe: recipe, Title: title, Asked: asked, Parameters: params,
		Started: time.Now().UTC().Truncate(time.Second), Commit: gitCommit(root)}
	if err := os.RemoveAll(r.stateDir()); err != nil {
		return nil, fmt.Errorf("note: clear the state of an earlier run: %w", err)
	}
	if err := os.MkdirAll(r.stateDir(), 0o755); err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	if err := writeJSON(r.startFile(), s); err != nil {
		return nil, err
	}
	if interactive {
		if err := writeFile(filepath.Join(root, "runs", ".current"), []byte(recipe+"\n")); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Current is the run that Begin started, for the cells after it.
func Current() (*Run, error) {
	root, rootErr := Root()
	dir := os.Getenv(envRunDir)
	if dir == "" {
		if rootErr != nil {
			return nil, rootErr
		}
		b, err := os.ReadFile(filepath.Join(root, "runs", ".current"))
		if errors.Is(err, os.ErrNotExist) {
			return nil, errNotBegun
		}
		if err != nil {
			return nil, fmt.Errorf("note: %w", err)
		}
		recipe := strings.TrimSpace(string(b))
		if err := checkName("recipe named by runs/.current", recipe); err != nil {
			return nil, err
		}
		dir = filepath.Join(root, "runs", recipe)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("note: run directory: %w", err)
	}
	r := &Run{dir: dir, root: root}
	if _, err := r.begun(); err != nil {
		return nil, err
	}
	return r, nil
}

var errNotBegun = errors.New("note: no run has begun: execute the cell that calls note.Begin first")

// begun reads what Begin recorded.
func (r *Run) begun() (*start, error) {
	b, err := os.ReadFile(r.startFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNotBegun
	}
	if err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	var s start
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("note: %s: %w: execute the cell that calls note.Begin again", r.startFile(), err)
	}
	return &s, nil
}

// Dir is the run directory, an absolute path.
func (r *Run) Dir() string { return r.dir }

// Work is the path of a file that cells keep for later cells, under work/. Its folder exists afterwards; a failure
// to create it shows when the file is opened. The name may contain '/' but cannot leave work/.
func (r *Run) Work(name string) string {
	path := filepath.Join(r.dir, "work", filepath.Join(string(filepath.Separator), filepath.FromSlash(name)))
	_ = os.MkdirAll(filepath.Dir(path), 0o755) // opening the file reports it, with the path
	return path
}

// Path resolves a path that a parameter names: absolute, or relative to the directory the user ran the command in
// (the notebook's folder in interactive use), then to the repository. What it names must exist. A reference to the hub, hf:owner/name, is
// no path and is returned as it is.
func (r *Run) Path(p string) (string, error) {
	if strings.HasPrefix(p, "hf:") {
		return p, nil
	}
	if p == "" {
		return "", errors.New("note: an empty path: want a file or directory")
	}
	if filepath.IsAbs(p) {
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("note: path %s: %w", p, err)
		}
		return filepath.Clean(p), nil
	}
	var tried []string
	for _, base := range []string{callerDir(), r.root} {
		if base == "" {
			continue
		}
		path := filepath.Join(base, p)
		if len(tried) > 0 && tried[0] == path {
			continue
		}
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("note: path %q: %w", p, err)
		}
		tried = append(tried, path)
	}
	return "", fmt.Errorf("note: path %q: nothing there, tried %s: give an existing path, absolute or relative to "+
		"the directory you run the command in or to the repository", p, strings.Join(tried, " and "))
}

// Output resolves a path that a parameter names for writing: absolute, or relative to the directory the user ran the command in. It need
// not exist.
func (r *Run) Output(p string) (string, error) {
	if p == "" {
		return "", errors.New("note: an empty output path: want a file or directory to write")
	}
	if !filepath.IsAbs(p) {
		p = filepath.Join(callerDir(), p)
	}
	return filepath.Clean(p), nil
}

// callerDir is the directory the user ran the command in.
func callerDir() string {
	if dir := os.Getenv(envCallerDir); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

func (r *Run) stateDir() string  { return filepath.Join(r.dir, "work", "note") }
func (r *Run) startFile() string { return filepath.Join(r.stateDir(), "begin.json") }
func (r *Run) endFile() string   { return filepath.Join(r.stateDir(), "finished") }
