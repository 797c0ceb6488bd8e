package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// coresOfPart is how many cores a part is given where it computes on processors: fewer parts at once compute as fast together.
const coresOfPart = 8

// endPatience is how long a part that is told to end may take.
const endPatience = 20 * time.Second

// Cards are the numbers of the CUDA devices of this machine, as CUDA_VISIBLE_DEVICES takes them, those that the variable names where it is set.
func Cards() []string {
	if text, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set {
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	}
	out, err := exec.Command("nvidia-smi", "--list-gpus").Output()
	if err != nil {
		return nil
	}
	var cards []string
	for range strings.Lines(string(out)) {
		cards = append(cards, strconv.Itoa(len(cards)))
	}
	return cards
}

// places are where parts run at once: the cards of each, so many as its models are cut over, or as many places as the processor has room for.
func (s *Submission) places() ([]string, error) {
	var places []string
	if strings.HasPrefix(s.Backend, "xla:cuda") {
		cards, each := Cards(), max(s.Devices, 1)
		if len(cards) < each {
			return nil, fmt.Errorf("backend %s: a part takes %d cards, %d are found (CUDA_VISIBLE_DEVICES, nvidia-smi --list-gpus)", s.Backend, each, len(cards))
		}
		for i := 0; i+each <= len(cards); i += each {
			places = append(places, strings.Join(cards[i:i+each], ","))
		}
	} else {
		places = make([]string, max(1, runtime.NumCPU()/coresOfPart))
	}
	for i := 0; s.AtOnce > len(places); i++ { // more than one on a card, if that is asked
		places = append(places, places[i])
	}
	if s.AtOnce > 0 {
		places = places[:s.AtOnce]
	}
	return places, nil
}

// runLocal runs parts as processes of this machine, and the last job when they all succeeded. It returns when nothing runs any more.
func (s *Submission) runLocal(ctx context.Context, parts []int, log io.Writer) error {
	places, err := s.places()
	if err != nil {
		return err
	}
	self, err := client.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	owner := self.String()
	lock, err := env.TryLock(s.path("local.lock"), owner)
	if err != nil {
		return fmt.Errorf("the parts of %s run already: %w", s.dir, err)
	}
	defer lock.Unlock()
	queue := make(chan int, len(parts))
	for _, part := range parts {
		queue <- part
	}
	close(queue)
	r := &localRun{Submission: s, log: log, running: map[int]bool{}}
	stop := r.tell()
	var all sync.WaitGroup
	for _, card := range places {
		all.Go(func() {
			for part := range queue {
				if ctx.Err() != nil {
					return
				}
				r.begin(part)
				started := time.Now()
				err := s.process(ctx, part, card, owner)
				r.end(part, time.Since(started), err)
			}
		})
	}
	all.Wait()
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(r.failed) > 0 {
		return errors.Join(r.failed...)
	}
	if err := s.process(ctx, 0, places[0], owner); err != nil {
		return fmt.Errorf("the last job: %w", err)
	}
	return nil
}

// localRun is the parts of a submission that run on this machine.
type localRun struct {
	*Submission
	mu      sync.Mutex
	log     io.Writer
	running map[int]bool
	failed  []error
}

func (r *localRun) begin(part int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[part] = true
}

func (r *localRun) end(part int, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, part)
	if err != nil {
		r.failed = append(r.failed, fmt.Errorf("part %d: %w", part, err))
		fmt.Fprintf(r.log, "part %d of %d failed\n", part, r.Parts)
		return
	}
	fmt.Fprintf(r.log, "part %d of %d is done (%s)\n", part, r.Parts, took.Round(time.Second/10))
}

// tell says every few seconds, in a line, how far the parts are that run, until stop is called.
func (r *localRun) tell() (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(updateEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			r.mu.Lock()
			var each []string
			for _, part := range slices.Sorted(maps.Keys(r.running)) {
				if p, ok, err := readState[Progress](r.Submission, part, "progress.json"); err == nil && ok && p.Requests > 0 {
					each = append(each, fmt.Sprintf("part %d: %d of %d, %s%s", part, p.Request, p.Requests, p.Stage, p.rows()))
				}
			}
			if len(each) > 0 {
				fmt.Fprintln(r.log, strings.Join(each, "; "))
			}
			r.mu.Unlock()
		}
	}()
	return func() { close(done) }
}

// controller is the process that runs the parts of a local submission; ok is false where none does.
func (s *Submission) controller() (p client.Process, ok bool) {
	text, err := os.ReadFile(s.path("local.lock"))
	if err != nil || len(text) == 0 {
		return p, false
	}
	p, err = client.ParseProcess(strings.TrimSpace(string(text)))
	return p, err == nil && p.Runs()
}

// WithOwner is a context that ends with the process that runs the parts of a local submission, if this process is one of them: a killed submit leaves nothing running.
// What does not end then is ended a while later, such as a compilation.
func WithOwner(ctx context.Context) (context.Context, context.CancelFunc) {
	owner, err := client.ParseProcess(os.Getenv(env.Owner))
	if err != nil {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for owner.Runs() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		cancel(fmt.Errorf("the process that ran the parts, %d, has ended", owner.PID))
		time.Sleep(endPatience)
		os.Exit(1)
	}()
	return ctx, func() { cancel(nil) }
}

// process runs a part, or the last job, to its end. It ends with the owner.
func (s *Submission) process(ctx context.Context, part int, card, owner string) error {
	file, err := os.OpenFile(s.Log(part), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, "bash", s.path("part.sh"), strconv.Itoa(part))
	if part == 0 {
		cmd = exec.CommandContext(ctx, "bash", s.path("finish.sh"))
	}
	cmd.Stdout, cmd.Stderr, cmd.Env = file, file, append(os.Environ(), env.Owner+"="+owner)
	if card != "" {
		cmd.Env = append(cmd.Env, "CUDA_VISIBLE_DEVICES="+card)
	}
	apart(cmd) // a Ctrl-C reaches this process alone, which tells the parts to end
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, endPatience
	err = cmd.Run()
	if _, done, _ := readState[Done](s, part, "done.json"); done { // also where it was told to end a moment later
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		if failed, ok, _ := readState[Progress](s, part, "failed.json"); ok {
			return errors.New(failed.Error)
		}
		return fmt.Errorf("%w%s", err, tail(s.Log(part)))
	}
	return nil
}
