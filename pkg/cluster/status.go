package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/report"
)

// State of a part, or of the last job.
type State string

// States, from what a part's files say first, and then what runs it.
const (
	StateDone    State = "done"
	StateRunning State = "running"
	StateWaiting State = "waiting"     // handed to Slurm, or to begin when a device is free
	StateFailed  State = "failed"      // it ended with an error
	StateLost    State = "lost"        // it began, and no longer runs, without a word
	StateNot     State = "not started" // nothing will start it
)

// PartStatus is how a part is.
type PartStatus struct {
	Part     int // 0: the last job
	State    State
	Progress Progress // as far as it said
	Why      string   // of StateFailed and StateLost
	Task     string   // of Slurm, while it waits or runs
}

// Status is how a submission is.
type Status struct {
	Parts  []PartStatus
	Last   PartStatus // the job that unites the parts and writes the note
	Notice string     // what could not be asked
}

// Done reports whether the note is there.
func (s *Status) Done() bool { return s.Last.State == StateDone }

// Failed reports whether something ended that must be resumed.
func (s *Status) Failed() bool {
	for _, p := range append(s.Parts, s.Last) {
		if p.State == StateFailed || p.State == StateLost {
			return true
		}
	}
	return false
}

// alive is how long a part on another machine may be silent before it counts as lost, where nobody else knows.
const alive = 2 * time.Minute

// Status looks at the files, and asks Slurm about what they leave open.
func (s *Submission) Status(ctx context.Context) (*Status, error) {
	known := map[int]task{} // of the newest job that has a part
	out := &Status{}
	asked := true // whether Slurm could be
	if s.Engine == Slurm {
		var forgot []string
		for _, job := range s.Jobs {
			found, err := tasks(ctx, job.ID)
			switch {
			case forgotten(err):
				forgot = append(forgot, job.ID)
				for _, part := range append(job.Parts, 0) {
					if part > 0 || len(job.Parts) == 0 {
						delete(known, part)
					}
				}
			case err != nil:
				asked = false
				out.Notice = "Slurm cannot be asked, and what follows is what the files say: " + err.Error()
			default:
				for part, t := range found {
					known[part] = t
				}
			}
		}
		if len(forgot) > 0 {
			out.Notice = strings.TrimPrefix(out.Notice+"; ", "; ") + fmt.Sprintf("Slurm no longer knows job %s, which ended some time ago: its parts are as the files say", strings.Join(forgot, ", "))
		}
	}
	for part := 1; part <= s.Parts; part++ {
		p, err := s.partStatus(part, known, asked)
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, p)
	}
	last, err := s.lastStatus(known)
	out.Last = last
	return out, err
}

func (s *Submission) partStatus(part int, known map[int]task, asked bool) (PartStatus, error) {
	p := PartStatus{Part: part}
	done, ok, err := readState[Done](s, part, "done.json")
	if err != nil {
		return p, err
	}
	if ok {
		p.State, p.Progress = StateDone, done.Progress
		return p, nil
	}
	var began bool
	if p.Progress, began, err = readState[Progress](s, part, "progress.json"); err != nil {
		return p, err
	}
	t, hasTask := known[part]
	if hasTask && t.active() {
		p.State, p.Task = StateRunning, t.id
		if t.state != "RUNNING" && t.state != "COMPLETING" {
			p.State = StateWaiting
		}
		p.Progress.Restarts = max(p.Progress.Restarts, t.restarts)
		return p, nil
	}
	failed, ok, err := readState[Progress](s, part, "failed.json")
	switch {
	case err != nil:
		return p, err
	case ok:
		p.State, p.Progress, p.Why = StateFailed, failed, failed.Error
	case hasTask && t.state != "COMPLETED":
		p.State, p.Why = StateFailed, fmt.Sprintf("Slurm says %s, exit code and signal %s%s", t.state, t.exit, tail(s.Log(part)))
		if t.state == "NODE_FAIL" {
			p.State = StateLost
		}
	case !began && s.controlled():
		p.State = StateWaiting
	case !began:
		p.State = StateNot
	case s.Engine == Local && p.Progress.runs():
		p.State = StateRunning
	case s.Engine == Slurm && !asked && time.Since(p.Progress.Updated) < alive:
		p.State = StateRunning
	default:
		p.State = StateLost
		p.Why = fmt.Sprintf("nothing since %s%s", p.Progress.Updated.Local().Format("2006-01-02 15:04:05"), tail(s.Log(part)))
	}
	return p, nil
}

// controlled reports whether a process of this machine is about to start parts.
func (s *Submission) controlled() bool {
	_, ok := s.controller()
	return ok && s.Engine == Local
}

// runs reports whether the process of a part that runs on this machine still does; of one elsewhere, whether it was heard of lately.
func (p Progress) runs() bool {
	if node, err := os.Hostname(); err == nil && node == p.Node {
		return p.Process.Runs()
	}
	return time.Since(p.Updated) < alive
}

// lastStatus is how the last job is.
func (s *Submission) lastStatus(known map[int]task) (PartStatus, error) {
	p := PartStatus{}
	t, hasTask := known[0]
	if hasTask && t.active() {
		p.State, p.Task = StateRunning, t.id
		if t.state != "RUNNING" && t.state != "COMPLETING" {
			p.State = StateWaiting
		}
		return p, nil
	}
	if _, err := os.Stat(filepath.Join(s.dir, "results.json")); err == nil { // written last
		p.State = StateDone
		return p, nil
	}
	failed, ok, err := readState[Progress](s, 0, "failed.json")
	switch {
	case err != nil:
		return p, err
	case ok:
		p.State, p.Why, p.Progress = StateFailed, failed.Error, failed
	case hasTask && t.state == "CANCELLED":
		p.State, p.Why = StateNot, "Slurm has cancelled it, since a part failed, or you have"
	case hasTask:
		p.State, p.Why = StateFailed, fmt.Sprintf("Slurm says %s, exit code and signal %s%s", t.state, t.exit, tail(s.Log(0)))
	case s.controlled():
		p.State = StateWaiting
	default:
		p.State = StateNot
	}
	return p, nil
}

// tailLines is how much of a log an error quotes.
const tailLines = 5

// tail is the end of a log, on lines of its own; "" where there is none.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(report.Clean(string(text))), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "; the end of " + path + ":\n    " + strings.Join(lines, "\n    ")
}

// Write prints the status: a line of counts, and a line for each part that is not done.
func (s *Status) Write(w io.Writer) {
	if s.Notice != "" {
		fmt.Fprintln(w, s.Notice)
	}
	counts := map[State]int{}
	for _, p := range s.Parts {
		counts[p.State]++
	}
	var words []string
	for _, state := range []State{StateDone, StateRunning, StateWaiting, StateFailed, StateLost, StateNot} {
		if counts[state] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	fmt.Fprintf(w, "%d parts: %s\n", len(s.Parts), strings.Join(words, ", "))
	for _, p := range s.Parts {
		if p.State != StateDone {
			fmt.Fprintln(w, p.line())
		}
	}
	fmt.Fprintln(w, s.Last.line())
}

// rows is how far a request is, and how fast it was of late; "" where it does not say.
func (p Progress) rows() (text string) {
	if p.Total > 0 {
		text = fmt.Sprintf(" %d of %d", p.Done, p.Total)
	}
	if p.Rate > 0 {
		text += fmt.Sprintf(" (%.3g a second)", p.Rate)
	}
	return text
}

// line is a part in a line, and the reason below it.
func (p PartStatus) line() string {
	name := fmt.Sprintf("part %d", p.Part)
	if p.Part == 0 {
		name = "the last job"
	}
	text := fmt.Sprintf("  %-12s %s", name, p.State)
	g := p.Progress
	if p.State == StateRunning && g.Requests > 0 {
		text += fmt.Sprintf(", %d of %d", g.Request, g.Requests)
		if g.Stage != "" {
			text += ": " + g.Stage
		}
		text += g.rows()
	}
	if g.Node != "" && p.Part > 0 {
		text += ", on " + g.Node
	}
	if g.Restarts > 0 {
		text += fmt.Sprintf(", restarts %d", g.Restarts)
	}
	if p.Task != "" {
		text += ", job " + p.Task
	}
	if p.Why != "" {
		text += ": " + p.Why
	}
	return text
}
