package worker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/store"
)

// timing is how long the largest work of one kind took with one model and numerics, compilation included.
type timing struct {
	Tokens  int     `json:"tokens"` // of prompts
	Seconds float64 `json:"seconds"`
}

var timings sync.Mutex

// timingsFile holds what was timed on this machine, by kind, model and numerics.
func timingsFile() (string, error) {
	cache, err := env.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "timings.json"), nil
}

// speedKind tells scoring from writing, which takes far longer for each token of a prompt.
func speedKind(kind string, writes bool) string {
	if writes {
		return kind + ", writing"
	}
	return kind
}

func timingKey(j store.Job, kind string) string { return kind + " " + j.Model + " " + j.Numerics }

func readTimings() map[string]timing {
	known := map[string]timing{}
	if path, err := timingsFile(); err == nil {
		if b, err := os.ReadFile(path); err == nil {
			_ = json.Unmarshal(b, &known) // a file that cannot be read says nothing
		}
	}
	return known
}

// secondsFor is about how long work of so many tokens takes, by the largest that was timed; 0 where none was.
func secondsFor(j store.Job, kind string, tokens int) float64 {
	t := readTimings()[timingKey(j, kind)]
	if t.Tokens == 0 {
		return 0
	}
	return t.Seconds * float64(tokens) / float64(t.Tokens)
}

// rememberTiming keeps a timing unless a larger one is known. What cannot be kept is not an error: it only tells later runs how long they take.
func rememberTiming(j store.Job, kind string, tokens int, took time.Duration) {
	timings.Lock()
	defer timings.Unlock()
	known := readTimings()
	key := timingKey(j, kind)
	if tokens == 0 || known[key].Tokens > tokens {
		return
	}
	known[key] = timing{tokens, took.Seconds()}
	path, err := timingsFile()
	if err != nil {
		return
	}
	if b, err := json.Marshal(known); err == nil {
		_ = env.WriteBytes(path, 0o644, b)
	}
}

// stopwatch times the answers that a comparison computes.
type stopwatch struct {
	started      time.Time
	known, total int // answers
	writes       bool
}

// stopwatch starts with a comparison of these options, whose progress it follows.
func (c *compared) stopwatch(o *eval.Options) *stopwatch {
	w := &stopwatch{started: time.Now(), total: -1}
	for _, a := range c.arms() {
		w.writes = w.writes || len(a.Answer) > 0
	}
	tell := o.Progress
	o.Progress = func(p engine.Progress) {
		if w.total < 0 { // the first says what the store has
			w.known, w.total = p.Done, p.Total
		}
		tell(p)
	}
	return w
}

// keep records the comparison's speed, where something was computed.
func (w *stopwatch) keep(j store.Job, found *eval.Comparison) {
	if w.total <= w.known {
		return
	}
	tokens := 0
	for _, arm := range found.Outcomes {
		for _, o := range arm {
			tokens += o.Tokens.Prompt
		}
	}
	rememberTiming(j, speedKind("compare", w.writes), tokens*(w.total-w.known)/w.total, time.Since(w.started))
}
