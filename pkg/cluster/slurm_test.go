package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/worker/client"
)

// commands puts scripts of these names first in PATH, in place of Slurm's.
func commands(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

func submissionOf(t *testing.T, s Submission) *Submission {
	t.Helper()
	s.Recipe, s.Store, s.Submitted = "test", filepath.Join(t.TempDir(), "store"), time.Now()
	made, err := Begin(filepath.Join(t.TempDir(), "run"), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Save(); err != nil {
		t.Fatal(err)
	}
	return made
}

func fails(t *testing.T, err error, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
}

func TestWhatSlurmCannotTakeIsSaidInALine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	fails(t, CheckSlurm(t.Context(), 4, nil), "sbatch is not installed", "--engine local")
	commands(t, map[string]string{"sbatch": "exit 1", "scontrol": `echo "MaxArraySize            = 101"`})
	fails(t, CheckSlurm(t.Context(), 200, nil), "--parts 200", "use --parts 100")
	fails(t, CheckSlurm(t.Context(), 4, []string{"--time=10", "--array=1-3"}), "--array=1-3", "sets it itself")
	if err := CheckSlurm(t.Context(), 100, []string{"--time=10", "--gres=gpu:1", "-p", "gpu"}); err != nil {
		t.Error(err)
	}
	commands(t, map[string]string{"sbatch": "exit 1", "scontrol": "echo 'slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)' >&2; exit 1"})
	fails(t, CheckSlurm(t.Context(), 4, nil), "scontrol", "Unable to contact slurm controller")
}

func TestOptionsThatAskForCards(t *testing.T) {
	for options, want := range map[string]bool{"--gres=gpu:1": true, "--time=10 --gpus-per-task 1": true, "-G2 -p gpu": true, "-G 2": true, "--exclusive": true, "--time=10 -p gpu": false, "": false, "--job-name gres": false} {
		if got := AsksForCards(strings.Fields(options)); got != want {
			t.Errorf("%q asks for cards: %v", options, got)
		}
	}
}

func TestAJobThatWasSubmittedIsNoted(t *testing.T) {
	commands(t, map[string]string{"sbatch": `case "$*" in *afterok*) echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1;; esac; echo "17;cluster"`})
	s := submissionOf(t, Submission{Parts: 4, Engine: Slurm, Options: []string{"--time=10"}})
	fails(t, s.submitSlurm(t.Context(), []int{1, 2, 4}, nil), "the last job is not", "Invalid account")
	again, err := Open(s.Dir())
	if err != nil || len(again.Jobs) != 1 || again.Jobs[0].ID != "17" || !slices.Equal(again.Jobs[0].Parts, []int{1, 2, 4}) {
		t.Errorf("noted %+v, %v: expected job 17 with its parts", again.Jobs, err)
	}
}

func TestRangesAreReadAsWritten(t *testing.T) {
	for text, numbers := range map[string][]int{"1-3,7": {1, 2, 3, 7}, "5": {5}, "1,3": {1, 3}} {
		if got := ranges(numbers); got != text {
			t.Errorf("%v is written %s, expected %s", numbers, got, text)
		}
		if got := expand(text + "%2"); !slices.Equal(got, numbers) {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}

// TestStatusIsWhatFilesSayFirst: a finished part is done whatever Slurm says, and a job that Slurm has forgotten loses nothing.
func TestStatusIsWhatFilesSayFirst(t *testing.T) {
	array := `JobId=20 ArrayJobId=17 ArrayTaskId=1 JobName=a JobState=FAILED Reason=NonZeroExitCode Restarts=0 ExitCode=3:0 NodeList=n1
JobId=21 ArrayJobId=17 ArrayTaskId=2 JobName=a JobState=FAILED Reason=None Restarts=0 ExitCode=0:9 NodeList=n1
JobId=22 ArrayJobId=17 ArrayTaskId=3 JobName=a JobState=RUNNING Reason=None Restarts=1 ExitCode=0:0 NodeList=n2
JobId=17 ArrayJobId=17 ArrayTaskId=4-5%2 JobName=a JobState=PENDING Reason=Resources Restarts=0 ExitCode=0:0 NodeList=(null)
`
	s := submissionOf(t, Submission{Parts: 6, Engine: Slurm, Jobs: []Job{{ID: "17", Parts: []int{1, 2, 3, 4, 5, 6}}, {ID: "18"}}})
	commands(t, map[string]string{"scontrol": `if [ "$3" = 17 ]; then echo '` + array + `'; else echo 'JobId=18 JobName=a JobState=PENDING Reason=Dependency Restarts=0 ExitCode=0:0 NodeList=(null)'; fi`})
	for _, part := range []int{1, 3} {
		r, err := s.StartPart(part)
		if err != nil {
			t.Fatal(err)
		}
		r.Tell(1, 2, "scoring", 7, 48)
		if part == 1 {
			if err := r.Finish(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(s.Log(2)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Log(2), []byte("opening\nKilled \x1b[31mby hand\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	found := statesOf(t, s)
	if want := []State{StateDone, StateFailed, StateRunning, StateWaiting, StateWaiting, StateNot}; !slices.Equal(found.states, want) {
		t.Errorf("states %v, expected %v", found.states, want)
	}
	if why := found.Parts[1].Why; !strings.Contains(why, "0:9") || !strings.Contains(why, "Killed by hand") {
		t.Errorf("the killed part says %q, expected signal and log", why)
	}
	if found.Parts[2].Progress.Restarts != 1 || found.Last.State != StateWaiting || !found.Failed() {
		t.Errorf("%+v", found)
	}
	var text strings.Builder
	found.Write(&text)
	for _, want := range []string{"6 parts: 1 done, 1 running, 2 waiting, 1 failed, 1 not started", "running, 1 of 2: scoring 7 of 48, on ", "restarts 1", "job 17_3", "the last job waiting"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the status has no %q:\n%s", want, text.String())
		}
	}

	commands(t, map[string]string{"scontrol": "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"})
	found = statesOf(t, s)
	if want := []State{StateDone, StateNot, StateLost, StateNot, StateNot, StateNot}; !slices.Equal(found.states, want) || !strings.Contains(found.Notice, "no longer knows job 17, 18") {
		t.Errorf("after Slurm forgot: %v, %q", found.states, found.Notice)
	}
	t.Setenv("PATH", t.TempDir())
	found = statesOf(t, s)
	if found.states[0] != StateDone || found.states[2] != StateRunning || !strings.Contains(found.Notice, "cannot be asked") {
		t.Errorf("without Slurm: %v, %q", found.states, found.Notice)
	}
}

// TestTheFirstPartThatIsNotResubmittedDecidesTheDevice: after a part that began on a wrong card and failed, all of them may begin on another.
func TestTheFirstPartThatIsNotResubmittedDecidesTheDevice(t *testing.T) {
	commands(t, map[string]string{"sbatch": "echo 17", "scontrol": "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"})
	s := submissionOf(t, Submission{Parts: 2, Engine: Slurm})
	compute := func(part int, device string) error {
		t.Helper()
		if err := s.Submit(t.Context(), statesOf(t, s).Status, nil); err != nil {
			t.Fatal(err)
		}
		r, err := s.StartPart(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Device(s, device); err != nil {
			return errors.Join(err, r.Fail(err))
		}
		return r.Finish(nil)
	}
	r, err := s.StartPart(1)
	if err == nil {
		err = errors.Join(r.Device(s, "a wrong card"), r.Fail(errors.New("out of memory")))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := compute(2, "the right card"); err != nil {
		t.Errorf("after a part that failed: %v", err)
	}
	fails(t, compute(1, "a wrong card"), "the right card", "--mixed")
}

// TestCancelAndResumeNameTheirJobs: resume hands over what is not done, behind what runs still and in place of a last job that would wait for ever; cancel ends all of it.
func TestCancelAndResumeNameTheirJobs(t *testing.T) {
	s := submissionOf(t, Submission{Parts: 3, Engine: Slurm, AtOnce: 2, Jobs: []Job{{ID: "17", Parts: []int{1, 2, 3}}, {ID: "18"}}})
	log := filepath.Join(t.TempDir(), "log")
	commands(t, map[string]string{
		"scontrol": `if [ "$3" = 17 ]; then echo 'JobId=20 ArrayJobId=17 ArrayTaskId=1 JobState=RUNNING Restarts=0
JobId=21 ArrayJobId=17 ArrayTaskId=2 JobState=FAILED ExitCode=1:0
JobId=22 ArrayJobId=17 ArrayTaskId=3 JobState=PENDING Restarts=0'; else echo 'JobId=18 JobState=PENDING Reason=DependencyNeverSatisfied'; fi`,
		"scancel": "echo scancel $* >> " + log, "sbatch": "echo sbatch $* >> " + log + "; echo 19"})
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Submit(t.Context(), status, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Cancel(t.Context(), status); err != nil || n != 3 {
		t.Errorf("%d are cancelled, %v: expected two parts and the last job", n, err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"scancel 18\nsbatch ", "--array=2%2 ", "--dependency=afterok:17_1:17_3:19 --kill-on-invalid-dep=yes", "scancel 17_1 17_3 18\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

type states struct {
	*Status
	states []State
}

func statesOf(t *testing.T, s *Submission) states {
	t.Helper()
	found, err := s.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out := states{Status: found}
	for _, p := range found.Parts {
		out.states = append(out.states, p.State)
	}
	return out
}

func TestPlansHoldEachComputationOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "requests.jsonl")
	_, err := ReadRequests(path)
	fails(t, err, "nothing to compute in parts")
	ask := func(kind, view, args string) {
		t.Helper()
		if err := (client.Request{Kind: kind, View: view, Args: json.RawMessage(args), RunDir: view}).Record(path); err != nil {
			t.Fatal(err)
		}
	}
	ask("about", "", "null")
	_, err = ReadRequests(path)
	fails(t, err, "none of compare, survey, effect, perplexity, calibrate")
	ask("compare", "table", "{}")
	ask("compare", "bars", `{"byDomain":true}`)
	ask("compare", "table", `{"other":{"model":"b"}}`)
	ask("effect", "rows", "null")
	ask("effect", "logits", "null")
	ask("survey", "rates", `{"eps":[0.3]}`)
	ask("calibrate", "heads", `{"method":"act"}`)
	ask("calibrate", "test", `{"method":"act","by":"entropy"}`)
	requests, err := ReadRequests(path)
	if err != nil || len(requests) != 5 {
		t.Errorf("%d requests, %v: expected two comparisons, an effect, a survey and a calibration", len(requests), err)
	}
	ask("tune", "run", "{}")
	_, err = ReadRequests(path)
	fails(t, err, "trains a model", "use run")
}
