package note

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// Run is one execution of a recipe: what a recipe runner starts, or what a kernel does with one notebook. It holds no state itself: everything is
// in its directory, because every cell is a process of its own.
type Run struct {
	dir   string
	root  string // the repository, "" when there is none around
	state string // where this run, with these parameters, keeps its sections
	isNew bool

	backend string   // that its numbers were computed on; "" = the environment's
	known   []folder // see folders
}

// start is what Open records.
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

// Open begins a run or continues it. Cells call it each: the run id (ATTUNE_RUN_ID, else the kernel's) and the parameters say which run it is, and
// what was added under the same id and parameters is there. Other parameters begin an empty one, so numbers of two settings never meet in one note. A
// directory that another live run writes into is refused. An empty recipe and nil parameters are taken from the runner's environment.
func Open(recipe string, parameters map[string]any) (*Run, error) {
	if recipe == "" {
		recipe = os.Getenv(env.Recipe)
	}
	if err := checkName("recipe", recipe); err != nil {
		return nil, err
	}
	r, err := locate(recipe)
	if err != nil {
		return nil, err
	}
	return r.open(runID(), recipe, parameters)
}

// OpenAt is Open in a directory, for a program that no runner started: the id tells its run from others there, and the backend is that of the numbers.
func OpenAt(dir, id, recipe, backend string, parameters map[string]any) (*Run, error) {
	if err := errors.Join(checkName("recipe", recipe), checkName("run id", id)); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("note: run directory: %w", err)
	}
	root, _ := Root() // "" without one
	return (&Run{dir: path, root: root, backend: backend}).open(id, recipe, parameters)
}

// open claims the directory for the run of an id.
func (r *Run) open(id, recipe string, parameters map[string]any) (*Run, error) {
	given, params, err := r.encodeParameters(parameters)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(recipe+"\n"), given...))
	r.state = filepath.Join(r.notes(), id, hex.EncodeToString(sum[:8]))
	err = r.locked(func() error {
		if err := r.claim(id); err != nil {
			return err
		}
		if _, err := r.begun(); err == nil {
			return r.point(id)
		}
		title, asked := describe(r.root, recipe)
		s := start{Recipe: recipe, Title: title, Asked: asked, Parameters: params,
			Started: time.Now().UTC().Truncate(time.Second), Commit: gitCommit(r.root)}
		r.isNew = true
		if err := writeJSON(r.startFile(), s); err != nil {
			return err
		}
		return r.point(id)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// point marks the folder of an id as a run's state, for [Run.claim], and says which of its states is in use.
func (r *Run) point(id string) error {
	return writeFile(filepath.Join(r.notes(), id, "current"), []byte(filepath.Base(r.state)+"\n"))
}

// locate finds the run's directory: ATTUNE_RUN_DIR, else runs/RECIPE in the repository.
func locate(recipe string) (*Run, error) {
	root, rootErr := Root()
	dir := os.Getenv(env.RunDir)
	if dir == "" {
		if rootErr != nil {
			return nil, rootErr
		}
		dir = filepath.Join(root, "runs", recipe)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("note: run directory: %w", err)
	}
	return &Run{dir: dir, root: root}, nil
}

// runID names the run: what the runner says, else the kernel, whose temporary folder no other kernel has, else this process.
func runID() string {
	if id := os.Getenv(env.RunID); id != "" {
		if checkName("run id", id) == nil {
			return id
		}
		sum := sha256.Sum256([]byte(id))
		return hex.EncodeToString(sum[:6])
	}
	if dir := os.Getenv(protocol.GONB_TMP_DIR_ENV); dir != "" {
		sum := sha256.Sum256([]byte(dir))
		return "kernel-" + hex.EncodeToString(sum[:6])
	}
	return fmt.Sprintf("process-%d", os.Getpid())
}

// New reports whether Open began the run, in its first cell; a later cell, or the same one run again, continues it.
func (r *Run) New() bool { return r.isNew }

// Parameters are the run's parameter values as Open recorded them, paths made portable.
func (r *Run) Parameters() (map[string]any, error) {
	s, err := r.begun()
	if err != nil {
		return nil, err
	}
	var p map[string]any
	if err := decode(s.Parameters, &p); err != nil {
		return nil, fmt.Errorf("note: parameters of %s: %w", r.startFile(), err)
	}
	return p, nil
}

var errNotBegun = errors.New("note: no run has begun: execute the notebook's first cells")

// begun reads what Open recorded.
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
		return nil, fmt.Errorf("note: %s: %w: remove it and execute the notebook's first cells again", r.startFile(), err)
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
	if strings.HasPrefix(p, "hf:") || strings.HasPrefix(p, "hf-data:") {
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
	if dir := os.Getenv(env.CallerDir); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

func (r *Run) notes() string     { return filepath.Join(r.dir, "work", "note") }
func (r *Run) startFile() string { return filepath.Join(r.state, "run.json") }

// Root is the repository: the nearest checkout above the caller's directory, the working directory or the notebook's folder.
func Root() (string, error) {
	root, err := env.Root()
	if err != nil {
		return "", fmt.Errorf("note: %w, or set %s to where the run's files go", err, env.RunDir)
	}
	return root, nil
}

// isRecipe reports whether the runner knows the name: a notebook that someone explores in is none.
func (r *Run) isRecipe(name string) bool {
	if os.Getenv(env.Recipe) == name {
		return true
	}
	_, err := os.Stat(filepath.Join(r.root, "recipes", name+".ipynb"))
	return r.root != "" && err == nil
}

// describe reads title and question of a recipe from its notebook's metadata; without a notebook the title is the
// recipe's name.
func describe(root, recipe string) (title, asked string) {
	for _, folder := range []string{"recipes", "notebooks"} {
		b, err := os.ReadFile(filepath.Join(root, folder, recipe+".ipynb"))
		if err != nil {
			continue
		}
		var nb struct {
			Metadata struct {
				Attune struct{ Title, Answers string } `json:"attune"`
			} `json:"metadata"`
		}
		if json.Unmarshal(b, &nb) == nil && nb.Metadata.Attune.Title != "" {
			return nb.Metadata.Attune.Title, nb.Metadata.Attune.Answers
		}
	}
	return recipe, ""
}
