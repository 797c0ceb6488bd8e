package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// commandLimit is how long a command of Slurm may take: a controller that does not answer must not hold the user.
const commandLimit = 60 * time.Second

// slurm runs one of Slurm's commands and returns what it printed. The error quotes what it said.
func slurm(ctx context.Context, command string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not installed here: run this on a login node of the Slurm cluster, or use --engine local", command)
	case ctx.Err() == context.DeadlineExceeded:
		return "", fmt.Errorf("%s did not answer within %v: is the cluster's controller up?", command, commandLimit)
	case err != nil:
		return "", &slurmError{command, strings.Join(strings.Fields(said.String()), " "), err}
	}
	return out.String(), nil
}

// slurmError is a command of Slurm that failed.
type slurmError struct {
	command, said string
	err           error
}

func (e *slurmError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("%s: %v", e.command, e.err)
	}
	return fmt.Sprintf("%s: %s", e.command, e.said)
}

func (e *slurmError) Unwrap() error { return e.err }

// forgotten reports the error for a job that Slurm does not know, such as one that ended minutes ago.
func forgotten(err error) bool {
	var e *slurmError
	return errors.As(err, &e) && strings.Contains(e.said, "Invalid job id")
}

// owned are options of sbatch that are not the user's to set.
var owned = []string{"array", "a", "dependency", "d", "requeue", "no-requeue", "open-mode", "output", "o", "error", "e", "parsable", "wait", "W", "wrap", "kill-on-invalid-dep"}

// CheckSlurm finds what keeps a submission from being handed to Slurm: there is none, its arrays are smaller, or options that submit sets itself.
func CheckSlurm(ctx context.Context, parts int, options []string) error {
	for _, option := range options {
		name, _, _ := strings.Cut(option, "=")
		if trimmed := strings.TrimLeft(name, "-"); trimmed != name && slices.Contains(owned, trimmed) {
			return fmt.Errorf("sbatch option %s: submit sets it itself", option)
		}
	}
	if _, err := exec.LookPath("sbatch"); err != nil {
		return errors.New("sbatch is not installed here: run this on a login node of the Slurm cluster, or use --engine local")
	}
	text, err := slurm(ctx, "scontrol", "show", "config")
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(name) != "MaxArraySize" {
			continue
		}
		if most, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && parts > most-1 {
			return fmt.Errorf("--parts %d: arrays of this cluster have at most %d tasks (MaxArraySize %d): use --parts %d", parts, most-1, most, most-1)
		}
	}
	return nil
}

// cardOptions are options of sbatch that ask for cards, or for whole nodes.
var cardOptions = []string{"gres", "gpus", "G", "gpus-per-node", "gpus-per-task", "gpus-per-socket", "tres-per-job", "tres-per-node", "tres-per-task", "exclusive"}

// AsksForCards reports whether options of sbatch ask for cards, or for whole nodes. Parts that are given none see all cards of their node and compute on the first, side by side.
func AsksForCards(options []string) bool {
	return slices.ContainsFunc(options, func(option string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(option, "-"), "=")
		return name != option && (slices.Contains(cardOptions, name) || strings.HasPrefix(option, "-G"))
	})
}

// sbatch submits a script and returns the job's id.
func (s *Submission) sbatch(ctx context.Context, script string, options ...string) (string, error) {
	args := []string{"--parsable", "--requeue", "--open-mode=append", "--job-name=attune-" + s.Recipe}
	args = append(append(args, s.Options...), options...)
	out, err := slurm(ctx, "sbatch", append(args, s.path(script))...)
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(out), ";") // ;CLUSTER behind it on federations
	if _, err := strconv.Atoi(id); err != nil {
		return "", fmt.Errorf("sbatch printed %q, expected the id of a job", strings.TrimSpace(out))
	}
	return id, nil
}

// output is a path as sbatch takes it, for which % begins a pattern.
func output(path string) string { return strings.ReplaceAll(path, "%", "%%") }

// submitSlurm submits parts as an array, and the last job behind them and behind the tasks that run already. What was submitted is saved at once: a job is never lost.
func (s *Submission) submitSlurm(ctx context.Context, parts []int, running []string) error {
	after := slices.Clone(running)
	if len(parts) > 0 {
		log := strings.TrimSuffix(output(s.Log(1)), "1.log") + "%a.log"
		array := "--array=" + ranges(parts)
		if s.AtOnce > 0 {
			array += fmt.Sprintf("%%%d", s.AtOnce)
		}
		id, err := s.sbatch(ctx, "part.sh", array, "--output="+log)
		if err != nil {
			return err
		}
		s.Jobs = append(s.Jobs, Job{ID: id, Parts: parts})
		if err := s.Save(); err != nil {
			return fmt.Errorf("job %s was submitted, and cannot be noted: %w", id, err)
		}
		after = append(after, id)
	}
	options := []string{"--output=" + output(s.Log(0))}
	if len(after) > 0 {
		options = append(options, "--dependency=afterok:"+strings.Join(after, ":"), "--kill-on-invalid-dep=yes")
	}
	id, err := s.sbatch(ctx, "finish.sh", options...)
	if err != nil {
		return fmt.Errorf("the parts are submitted, the last job is not (resume submits it): %w", err)
	}
	s.Jobs = append(s.Jobs, Job{ID: id})
	return s.Save()
}

// ranges writes numbers as sbatch's --array takes them: 1-3,7.
func ranges(numbers []int) string {
	var out []string
	for i := 0; i < len(numbers); {
		end := i
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		text := strconv.Itoa(numbers[i])
		if end > i {
			text += "-" + strconv.Itoa(numbers[end])
		}
		out = append(out, text)
		i = end + 1
	}
	return strings.Join(out, ",")
}

// task is what Slurm knows of a part, or of the last job.
type task struct {
	id       string // "17_3", or "18"
	state    string // RUNNING, PENDING, FAILED, ...
	exit     string // "3:0": status and signal
	reason   string
	nodes    string
	restarts int
}

// active reports whether it waits or runs.
func (t task) active() bool {
	switch t.state {
	case "PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED":
		return true
	}
	return false
}

// tasks asks Slurm for the tasks of a job, by part; the last job is part 0. A job that Slurm has forgotten has none.
func tasks(ctx context.Context, id string) (map[int]task, error) {
	out, err := slurm(ctx, "scontrol", "show", "job", id, "-o")
	if err != nil {
		return nil, err
	}
	found := map[int]task{}
	for line := range strings.Lines(out) {
		fields := map[string]string{}
		for word := range strings.FieldsSeq(line) {
			if name, value, ok := strings.Cut(word, "="); ok {
				if _, there := fields[name]; !there {
					fields[name] = value
				}
			}
		}
		t := task{id: fields["JobId"], state: fields["JobState"], exit: fields["ExitCode"], reason: fields["Reason"], nodes: fields["NodeList"]}
		t.restarts, _ = strconv.Atoi(fields["Restarts"])
		if t.nodes == "(null)" {
			t.nodes = ""
		}
		numbers := fields["ArrayTaskId"]
		if numbers == "" {
			found[0] = t
			continue
		}
		for _, n := range expand(numbers) {
			t.id = fields["ArrayJobId"] + "_" + strconv.Itoa(n)
			found[n] = t
		}
	}
	return found, nil
}

// expand reads what ranges wrote, with the limit behind % that Slurm may add.
func expand(text string) (numbers []int) {
	text, _, _ = strings.Cut(text, "%")
	for piece := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(piece, "-")
		a, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(last); err != nil {
				continue
			}
		}
		for n := a; n <= b; n++ {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// cancelSlurm ends jobs that wait or run.
func cancelSlurm(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := slurm(ctx, "scancel", ids...)
	if forgotten(err) {
		return nil
	}
	return err
}
