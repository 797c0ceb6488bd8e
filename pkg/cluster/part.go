package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Progress is what a part says of itself every few seconds.
type Progress struct {
	Attempt  string         `json:"attempt"` // names one execution of the part, and what it writes into the store
	Node     string         `json:"node"`
	Process  client.Process `json:"process"`
	Job      string         `json:"job,omitempty"` // of Slurm, "17_3"
	Restarts int            `json:"restarts,omitempty"`
	Device   string         `json:"device,omitempty"` // numerics
	Stage    string         `json:"stage,omitempty"`
	Done     int            `json:"done"`           // of Total answers and texts of the request under way
	Total    int            `json:"total"`          //
	Rate     float64        `json:"rate,omitempty"` // answers and texts a second, since the progress before this one
	Request  int            `json:"request"`
	Requests int            `json:"requests"`
	Started  time.Time      `json:"started"`
	Updated  time.Time      `json:"updated"`
	Error    string         `json:"error,omitempty"` // of failed.json
}

// Done is what a finished part says.
type Done struct {
	Progress
	Answered []Answered `json:"answered"` // of each comparison and effect; surveys are checked when they are put together
}

// Answered is the part's share of one request.
type Answered struct {
	Jobs  []store.Key `json:"jobs"`  // each has a record of every item
	Items []string    `json:"items"` // hashes
	Of    int         `json:"of"`    // items in all parts
}

// updateEvery is how often a part writes its progress: seldom enough for a thousand parts on one file system.
const updateEvery = 5 * time.Second

// Reporter writes the files of a part that runs. Its methods are called from one goroutine at a time.
type Reporter struct {
	dir   string
	now   Progress
	wrote time.Time
	known int // of Done, when it wrote
}

// PartDir is the folder of a part, 1 to Parts.
func (s *Submission) PartDir(part int) string { return s.path("parts", strconv.Itoa(part)) }

// PartStore is the store that a part writes.
func (s *Submission) PartStore(part int) (*store.Store, error) {
	return store.Open(filepath.Join(s.PartDir(part), "store"))
}

// StartPart begins an execution of a part and says so in its folder.
func (s *Submission) StartPart(part int) (*Reporter, error) {
	if part < 1 || part > s.Parts {
		return nil, fmt.Errorf("part %d: the submission in %s has parts 1 to %d", part, s.dir, s.Parts)
	}
	r := &Reporter{dir: s.PartDir(part)}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, fmt.Errorf("the part's folder: %w", err)
	}
	self, err := client.FindProcess(os.Getpid())
	if err != nil {
		return nil, err
	}
	node, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	if name := os.Getenv("SLURMD_NODENAME"); name != "" {
		node = name
	}
	now := time.Now()
	r.now = Progress{Node: node, Process: self, Started: now.UTC(), Attempt: fmt.Sprintf("part-%d-%s-%d", part, now.UTC().Format("20060102T150405"), self.PID)}
	if job := os.Getenv("SLURM_ARRAY_JOB_ID"); job != "" {
		r.now.Restarts, _ = strconv.Atoi(os.Getenv("SLURM_RESTART_COUNT"))
		r.now.Job = job + "_" + os.Getenv("SLURM_ARRAY_TASK_ID")
		r.now.Attempt = fmt.Sprintf("part-%d-job-%s-%d", part, job, r.now.Restarts)
	}
	if err := os.Remove(filepath.Join(r.dir, "failed.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return r, r.write("progress.json", r.now)
}

// Attempt names the execution.
func (r *Reporter) Attempt() string { return r.now.Attempt }

// Device says what the part computes on. All parts compute on the same, unless the submission is mixed: the first to start decides.
func (r *Reporter) Device(s *Submission, numerics string) error {
	r.now.Device = numerics
	if s.Mixed {
		return nil
	}
	path := s.path("device")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(file, "%s\n%s %s\n", numerics, r.now.Attempt, r.now.Node)
		return errors.Join(err, file.Close())
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	first, who, err := s.device()
	if err == nil && first != "" && first != numerics {
		err = fmt.Errorf("this part computes on %q, and %s on %q: results of different devices are not united unless submit was told --mixed; ask for nodes of one kind, then resume", numerics, who, first)
	}
	return err
}

// device is the numerics of the part that started first, and who that was.
func (s *Submission) device() (numerics, who string, err error) {
	text, err := os.ReadFile(s.path("device"))
	if err != nil {
		return "", "", err
	}
	numerics, who, _ = strings.Cut(string(text), "\n")
	who, _, _ = strings.Cut(who, "\n")
	return numerics, who, nil
}

// Tell says how far the part is; it writes when a request begins, and every few seconds.
func (r *Reporter) Tell(request, requests int, stage string, done, total int) {
	begins := request != r.now.Request
	r.now.Request, r.now.Requests, r.now.Stage, r.now.Done, r.now.Total = request, requests, stage, done, total
	since := time.Since(r.wrote)
	if !begins && since < updateEvery {
		return
	}
	if r.now.Rate = 0; !begins && r.known > 0 && done > r.known { // what was known already is counted in no time
		r.now.Rate = float64(done-r.known) / since.Seconds()
	}
	r.known = done
	_ = r.write("progress.json", r.now) // the next one may succeed; results are not lost by it
}

// Finish says that the part has computed everything.
func (r *Reporter) Finish(answered []Answered) error {
	return r.write("done.json", Done{r.now, answered})
}

// Fail says why the part ended.
func (r *Reporter) Fail(cause error) error {
	failed := r.now
	failed.Error = cause.Error()
	return r.write("failed.json", failed)
}

func (r *Reporter) write(name string, v any) error {
	r.wrote = time.Now()
	switch p := v.(type) {
	case Progress:
		p.Updated = r.wrote.UTC()
		v = p
	case Done:
		p.Updated = r.wrote.UTC()
		v = p
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := env.WriteBytes(filepath.Join(r.dir, name), 0o644, append(text, '\n')); err != nil {
		return fmt.Errorf("the part's state: %w", err)
	}
	return nil
}

// readState reads a state file of a part; ok is false where there is none.
func readState[T any](s *Submission, part int, name string) (state T, ok bool, err error) {
	path := filepath.Join(s.PartDir(part), name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return state, false, fmt.Errorf("%s: %w", path, err)
	}
	return state, true, nil
}
