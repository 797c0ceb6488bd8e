package cluster

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Engines that run parts.
const (
	Slurm = "slurm"
	Local = "local"
)

// Submission is a recipe that runs in parts. Its file changes only when jobs are submitted.
type Submission struct {
	Recipe     string            `json:"recipe"`          // name
	Notebook   string            `json:"notebook"`        // path of the recipe
	Parameters map[string]string `json:"parameters"`      // that were given
	Sweep      []string          `json:"sweep,omitempty"` // axes, as run takes them: parts compute all points, and the last job writes the note over them
	Backend    string            `json:"backend"`
	Parts      int               `json:"parts"`
	Engine     string            `json:"engine"`            // Slurm or Local
	Options    []string          `json:"options,omitempty"` // of sbatch
	Mixed      bool              `json:"mixed,omitempty"`   // results of different devices are united
	AtOnce     int               `json:"at_once,omitempty"` // parts that run at once at most; 0 = as many as Slurm starts, or as there are devices
	Root       string            `json:"root"`              // of the repository
	Caller     string            `json:"caller"`            // folder that the user was in
	Store      string            `json:"store"`             // that known results are taken from, and new ones go to
	Sources    string            `json:"sources"`           // of the worker, see client.Sources
	Code       string            `json:"code"`              // of what computes, see store.Sources
	Devices    int               `json:"devices,omitempty"` // of a part: as many as its models are cut over; 0 = 1
	Items      int               `json:"items"`             // of the smallest request: there are no more parts
	Submitted  time.Time         `json:"submitted"`
	Jobs       []Job             `json:"jobs,omitempty"` // of Slurm, in the order in which they were submitted

	dir string
}

// Job is one call of sbatch.
type Job struct {
	ID    string `json:"id"`
	Parts []int  `json:"parts,omitempty"` // of an array; none: the last job
}

// Dir is the run's directory.
func (s *Submission) Dir() string { return s.dir }

// path of a file of the submission.
func (s *Submission) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir, "submission"}, elements...)...)
}

// Requests is the path of the plan.
func (s *Submission) Requests() string { return s.path("requests.jsonl") }

// Worker is the path of the program that computes a part, and Recipes that of the program that finishes.
func (s *Submission) Worker() string  { return s.path("bin", "work") }
func (s *Submission) Recipes() string { return s.path("bin", "recipes") }

// PlanDir is the run directory of the plan.
func (s *Submission) PlanDir() string { return s.path("plan") }

// Base is the store that known results are taken from.
func (s *Submission) Base() (*store.Store, error) { return store.Open(s.Store) }

// Begin makes the directory of a submission. One that holds a submission or a run is refused.
func Begin(dir string, s Submission) (*Submission, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s.dir = dir
	for _, file := range []string{s.path("submission.json"), filepath.Join(dir, "results.json")} {
		if _, err := os.Stat(file); err == nil {
			return nil, fmt.Errorf("%s is there already: continue that submission with resume, or choose another directory with -o", file)
		}
	}
	if err := os.MkdirAll(s.path("bin"), 0o755); err != nil {
		return nil, fmt.Errorf("the directory of the submission: %w", err)
	}
	return &s, nil
}

// Open reads the submission of a run's directory.
func Open(dir string) (*Submission, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Submission{dir: dir}
	text, err := os.ReadFile(s.path("submission.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no submission (no submission/submission.json): expected a directory that submit -o named", dir)
	}
	if err == nil {
		err = json.Unmarshal(text, s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path("submission.json"), err)
	}
	if s.Parts < 1 || s.Recipe == "" {
		return nil, fmt.Errorf("%s: %d parts of recipe %q: the file was changed", s.path("submission.json"), s.Parts, s.Recipe)
	}
	return s, nil
}

// Save writes the submission.
func (s *Submission) Save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return env.WriteBytes(s.path("submission.json"), 0o644, append(text, '\n'))
}

// inParts are the kinds of request whose items are computed in parts; others are answered by the last job.
var inParts = []string{"compare", "survey", "effect", "perplexity", "calibrate"}

// notInParts are those that no last job should begin with.
var notInParts = map[string]string{"tune": "it trains a model", "pretrain": "it trains a model", "bench": "it measures one device"}

// ReadRequests reads a plan: the requests that are computed in parts, each once whatever views were asked of it. A plan without any is an error that says why.
func ReadRequests(path string) ([]client.Request, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the recipe asks nothing of the worker: there is nothing to compute in parts")
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []client.Request
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<28)
	for n := 1; lines.Scan(); n++ {
		var r client.Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if why := notInParts[r.Kind]; why != "" {
			return nil, fmt.Errorf("the recipe asks for %q: %s, which cannot be cut into parts: use run", r.Kind, why)
		}
		if !slices.Contains(inParts, r.Kind) {
			continue
		}
		key, err := keyOf(r)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if !seen[key] {
			seen[key] = true
			found = append(found, r)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("the recipe asks for none of %s: there is nothing to compute in parts", strings.Join(inParts, ", "))
	}
	return found, nil
}

// keyOf tells requests apart that compute different things: views of one comparison, effect or calibration compute the same.
func keyOf(r client.Request) (string, error) {
	switch r.Kind {
	case "effect":
		r.View, r.Args = "", nil
	case "calibrate":
		args := map[string]json.RawMessage{}
		if len(r.Args) > 0 {
			if err := json.Unmarshal(r.Args, &args); err != nil {
				return "", err
			}
		}
		for _, name := range []string{"by", "heads", "draws", "first"} { // how answers are used: parts give the answers
			delete(args, name)
		}
		text, err := json.Marshal(args)
		if err != nil {
			return "", err
		}
		r.View, r.Args = "", text
	case "compare":
		var args struct {
			Other json.RawMessage `json:"other,omitempty"`
		}
		if len(r.Args) > 0 {
			if err := json.Unmarshal(r.Args, &args); err != nil {
				return "", err
			}
		}
		r.View, r.Args = "", args.Other
	}
	r.RunDir, r.RunID, r.Folder = "", "", "" // where logs go, which the last job writes
	text, err := json.Marshal(r)
	return string(text), err
}
