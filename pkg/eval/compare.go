package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/store"
)

// Options of [Compare].
type Options struct {
	// Runner runs the model. It is asked for when something has to be computed: where the store knows every result, no model is opened. Needed unless every arm has its own.
	Runner func() (*engine.Runner, error)
	Store  *store.Store // of the results; nil = nothing is kept
	// Job is what the results of all arms depend on: Code, Model, Tokenizer and Numerics, see [engine.Runner.Numerics]. Kind, Prompt and Arm are filled in.
	Job  store.Job
	Run  string // names the part of the store that is written; "" = "run"
	Seed uint64 // of the permutations of clustered interactions
	// Groups are what rows there are beside those for all; "" means GroupsStem.
	Groups Groups
	// Controls name the arms of equal size that an arm is judged against beside the first one: arm to controls. Those comparisons are in the family.
	Controls map[string][]string
	Margin   float64 // of equivalence, given before looking; 0 means stats.Margin
	// Known makes an answer that the store does not have an error, a *[MissingError]: nothing is computed.
	Known bool
	// Progress is told how many answers there are, of arms times examples, and what is being compiled; from one goroutine at a time; may be nil.
	Progress func(engine.Progress)
}

// Compare answers the same examples under every arm and compares each arm with the first one. What the store knows is taken from it; the rest is computed, arms side by
// side, so that a killed run leaves pairs, and stored as it comes. After an error, or when ctx ends, calling again continues where it stopped.
func Compare(ctx context.Context, task *Task, arms []Arm, o Options) (*Comparison, error) {
	c, err := collect(ctx, task, arms, o)
	if err != nil {
		return nil, err
	}
	return c.comparison()
}

// Answers answers the examples under every arm as [Compare] does, and compares nothing: [arm][example], refused examples included. It is for arms that are looked
// through, such as one for each attention head, before a few of them are compared.
func Answers(ctx context.Context, task *Task, arms []Arm, o Options) ([][]Outcome, error) {
	c, err := collect(ctx, task, arms, o)
	if err != nil {
		return nil, err
	}
	return c.answers, nil
}

// collect gathers the answers of a comparison.
func collect(ctx context.Context, task *Task, arms []Arm, o Options) (*collection, error) {
	if err := checkArms(task, arms, o); err != nil {
		return nil, err
	}
	c := newCollection(task, slices.Clone(task.Examples), arms, o)
	if err := c.load(); err != nil {
		return nil, err
	}
	if err := c.known(); err != nil {
		return nil, err
	}
	if err := c.compute(ctx); err != nil {
		return nil, c.stopped(err)
	}
	return c, nil
}

// collection is what is known of a comparison's answers.
type collection struct {
	task     *Task
	examples []Example
	arms     []Arm
	options  Options

	jobs    []store.Job // of each arm
	answers [][]Outcome // [arm][example]
	missing [][]int     // places of the examples that an arm has not answered

	mu   sync.Mutex
	done int
}

func newCollection(task *Task, examples []Example, arms []Arm, o Options) *collection {
	for i := range examples {
		examples[i].shared = new(shared)
	}
	return &collection{task: task, examples: examples, arms: arms, options: o}
}

// load takes what the store knows.
func (c *collection) load() error {
	hashes := make([]string, len(c.examples))
	for i, e := range c.examples {
		hashes[i] = e.Hash()
	}
	for _, arm := range c.arms {
		job := c.job(arm)
		known := map[string]store.Record{}
		if c.options.Store != nil {
			var err error
			if known, err = c.options.Store.Load(job); err != nil {
				return fmt.Errorf("eval: arm %s: %w", arm.Name, err)
			}
		}
		answers := make([]Outcome, len(c.examples))
		var missing []int
		for i, e := range c.examples {
			record, ok := known[hashes[i]]
			if !ok {
				missing = append(missing, i)
				continue
			}
			err := json.Unmarshal(record.Data, &answers[i])
			if err == nil {
				err = answers[i].check(e)
			}
			if err != nil {
				return fmt.Errorf("eval: arm %s, example %s: the store's record of run %s: %w", arm.Name, e.ID, record.Run, err)
			}
		}
		c.jobs, c.answers, c.missing = append(c.jobs, job), append(c.answers, answers), append(c.missing, missing)
		c.done += len(c.examples) - len(missing)
	}
	return nil
}

// job is what an arm's results are stored under.
func (c *collection) job(arm Arm) store.Job {
	job := c.options.Job
	job.Kind, job.Prompt, job.Arm = "text", c.task.Name+"@"+c.task.TemplateHash, arm.JSON()
	if _, ok := arm.answer().(Choices); ok {
		job.Kind = "choices"
	}
	if arm.Runner != nil {
		job.Model, job.Tokenizer = arm.Model, arm.Tokenizer
	}
	if arm.Experiment != nil || job.Model == "" {
		job.Code = "" // it cannot be named: nothing is stored
	}
	if c.options.Store == nil {
		job.Code = ""
	}
	return job
}

// compute answers what is missing, all arms side by side: they share the runner's places.
func (c *collection) compute(ctx context.Context) error {
	c.tell(engine.Progress{})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var common *engine.Runner // opened once, when it is needed
	watched := map[*engine.Runner]bool{}
	var work []func() error
	for a, arm := range c.arms {
		if len(c.missing[a]) == 0 {
			continue
		}
		open := arm.Runner
		if open == nil {
			open = func() (r *engine.Runner, err error) {
				if common == nil {
					common, err = c.options.Runner()
				}
				return common, err
			}
		}
		e, err := arm.experiment()
		if err != nil {
			return fmt.Errorf("arm %s: %w", arm.Name, err)
		}
		r, err := open()
		if err != nil {
			return fmt.Errorf("arm %s: %w", arm.Name, err)
		}
		if r != nil && !watched[r] { // nil: an answer that needs no model
			watched[r] = true
			defer r.Watch(c.tell)()
		}
		work = append(work, func() error { return c.answer(ctx, a, r, e) })
	}
	var all sync.WaitGroup
	for _, do := range work {
		all.Go(func() {
			if err := do(); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// answer computes one arm's missing answers and stores them as they come.
func (c *collection) answer(ctx context.Context, a int, r *engine.Runner, e model.Experiment) (err error) {
	arm, missing := c.arms[a], c.missing[a]
	var writer *store.Writer
	if c.options.Store != nil {
		run := c.options.Run
		if run == "" {
			run = "run"
		}
		if writer, err = c.options.Store.Writer(c.jobs[a], run); err != nil {
			return fmt.Errorf("arm %s: %w", arm.Name, err)
		}
		defer func() { err = errors.Join(err, writer.Close()) }()
	}
	xs := make([]Example, len(missing))
	for k, i := range missing {
		xs[k] = c.examples[i]
	}
	answered := make([]bool, len(xs))
	count := 0
	err = arm.answer().Run(ctx, r, e, xs, func(k int, o Outcome) error {
		if k < 0 || k >= len(xs) || answered[k] {
			return fmt.Errorf("the answer %s gave example %d of %d, or gave it twice", arm.answer().Name(), k, len(xs))
		}
		if err := o.check(xs[k]); err != nil {
			return err
		}
		if writer != nil {
			data, err := json.Marshal(o)
			if err != nil {
				return err
			}
			if err := writer.Put(store.Record{Item: xs[k].Hash(), Data: data}); err != nil {
				return err
			}
		}
		answered[k], c.answers[a][missing[k]] = true, o
		count++
		c.count()
		return nil
	})
	if err == nil && count < len(xs) {
		err = fmt.Errorf("the answer %s gave %d of %d examples", arm.answer().Name(), count, len(xs))
	}
	if err != nil {
		return fmt.Errorf("arm %s: %w", arm.Name, err)
	}
	return nil
}

// count counts one more answer.
func (c *collection) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
}

// tell passes on what a runner says every second, in answers instead of sequences.
func (c *collection) tell(p engine.Progress) {
	if c.options.Progress == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.Done, p.Total = c.done, len(c.arms)*len(c.examples)
	if p.Stage == "" {
		p.Stage = "scoring"
	}
	c.options.Progress(p)
}

func (c *collection) stopped(err error) error {
	kept := "nothing is kept without a store"
	if c.options.Store != nil {
		kept = "what was computed is stored: call again to continue from there"
	}
	return fmt.Errorf("eval: stopped after %d of %d answers (%s): %w", c.done, len(c.arms)*len(c.examples), kept, err)
}

// comparison summarises the answers. An example that one arm refuses is left out in all of them, and named.
func (c *collection) comparison() (*Comparison, error) {
	c.tell(engine.Progress{})
	task := *c.task
	task.Examples = nil
	var refused []Refusal
	answers := make([][]Outcome, len(c.arms))
	for i, e := range c.task.Examples {
		why := ""
		for a, arm := range c.arms {
			if r := c.answers[a][i].Refused; r != "" && why == "" {
				why = fmt.Sprintf("%s (arm %s)", r, arm.Name)
			}
		}
		if why != "" {
			refused = append(refused, Refusal{ID: e.ID, Why: why})
			continue
		}
		task.Examples = append(task.Examples, e)
		for a := range c.arms {
			answers[a] = append(answers[a], c.answers[a][i])
		}
	}
	if len(task.Examples) == 0 {
		return nil, fmt.Errorf("eval: task %s: none of the %d examples was answered: %s: %s", task.Name, len(c.task.Examples), refused[0].ID, refused[0].Why)
	}
	found, err := summarise(&task, c.arms, answers, c.options)
	if err != nil {
		return nil, err
	}
	found.Refused = refused
	return found, nil
}

func checkArms(task *Task, arms []Arm, o Options) error {
	if err := task.Validate(); err != nil {
		return err
	}
	if len(arms) == 0 {
		return errors.New("eval: no arms: expected the baseline and what to compare with it")
	}
	if o.Margin < 0 || o.Margin >= 1 {
		return fmt.Errorf("eval: equivalence margin %v, expected a share above 0 and below 1, or 0 for %v", o.Margin, stats.Margin)
	}
	if _, err := groupsOf(task, o.Groups); err != nil {
		return err
	}
	for i, arm := range arms {
		if arm.Name == "" {
			return fmt.Errorf("eval: arm %d has no name", i)
		}
		if arm.Runner == nil && o.Runner == nil {
			return fmt.Errorf("eval: arm %d (%q) has no runner, nor has the comparison", i, arm.Name)
		}
		if arm.Runner != nil && o.Store != nil && o.Job.Code != "" && arm.Model == "" {
			return fmt.Errorf("eval: arm %d (%q) has a runner of its own and no hash of its model: its results would be stored as another model's", i, arm.Name)
		}
		if before := slices.IndexFunc(arms[:i], func(b Arm) bool { return b.Name == arm.Name || b.same(arm) }); before >= 0 {
			return fmt.Errorf("eval: arms %d (%q) and %d (%q) have the same name or compute the same: both must differ", before, arms[before].Name, i, arm.Name)
		}
	}
	named := func(name string) bool {
		return slices.ContainsFunc(arms, func(arm Arm) bool { return arm.Name == name })
	}
	for arm, controls := range o.Controls {
		for i, control := range controls {
			if !named(arm) || !named(control) || arm == control || slices.Contains(controls[:i], control) {
				return fmt.Errorf("eval: %q is a control of %q: expected the names of two arms of the comparison, each pair once", control, arm)
			}
		}
	}
	for _, metric := range task.Metrics {
		if metric != Acc && metric != AccNorm {
			return fmt.Errorf("eval: task %s: unknown metric %q, expected %s or %s", task.Name, metric, Acc, AccNorm)
		}
	}
	return nil
}
