package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/reason"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// compute answers the items under every arm: from what this session has compared before, from the store, or now.
func (c *compared) compute(ctx context.Context) (*eval.Comparison, error) {
	groups := c.groups()
	if c.ByDomain {
		groups = eval.GroupsSubjects
	}
	key := surveyKey(c.Options, c.Other, c.RunDir, c.RunID, c.Folder, c.task.Hash(), c.task.TemplateHash, groups, c.armKeys())
	if found := c.session.compared[key]; found != nil {
		return found, nil
	}
	results, err := c.store()
	if err != nil {
		return nil, err
	}
	o := eval.Options{Known: c.known(), Store: results, Run: c.runName(), Seed: c.Options.Seed, Groups: groups, Controls: map[string][]string{}, Margin: c.Options.Margin, Progress: c.engineProgress}
	var arms []eval.Arm
	for i, a := range c.arms() {
		if len(a.Answer) == 0 && c.task.Examples[0].Open != nil {
			return nil, client.Parameter("items", c.Options.Items, "its answers are written, there are no choices to score: the model has to write, as with answer=written of the recipe evaluate")
		}
		if i == 0 && c.Other != nil { // the same question to another model, whose answers are there before this one's is opened
			if err := c.answerByOther(ctx, a, o); err != nil {
				return nil, err
			}
		}
		arm, err := c.arm(a)
		if err != nil {
			return nil, err
		}
		arms = append(arms, arm)
		if len(a.Controls) > 0 {
			o.Controls[a.Name] = a.Controls
		}
	}
	r, err := c.runner()
	if err != nil {
		return nil, err
	}
	o.Runner = func() (*engine.Runner, error) { return r, nil }
	if o.Job, err = c.resultJob(r); err != nil {
		return nil, err
	}
	if c.Other != nil {
		arms[0].Model, arms[0].Tokenizer = c.otherJob.Model, c.otherJob.Tokenizer
		arms[0].Runner = func() (*engine.Runner, error) {
			return nil, fmt.Errorf("the answers of %s are not in the store", arms[0].Name)
		}
	}
	if p := c.session.part; p != nil {
		if err := p.answer(ctx, c.task, arms, o); err != nil {
			return nil, err
		}
		return nil, errPartDone
	}
	watch := c.stopwatch(&o)
	if err := c.count(ctx, arms, o); err != nil {
		return nil, err
	}
	found, err := eval.Compare(ctx, c.task, arms, o)
	if err != nil {
		return nil, err
	}
	watch.keep(r.Job(), found)
	if err := c.log(found, r.Model(), time.Since(watch.started)); err != nil {
		return nil, err
	}
	c.session.compared[key] = found
	return found, nil
}

// log writes the answers into the run's directory, as the common harness does.
func (c *compared) log(found *eval.Comparison, m *model.Model, took time.Duration) error {
	if c.RunDir == "" {
		return nil
	}
	dir := filepath.Join(c.RunDir, c.Folder)
	key := surveyKey(dir, c.RunID, m.Hash, c.Options.DType, c.Options.Devices, c.Options.Place)
	if c.Other != nil {
		key = surveyKey(dir, c.RunID, "models")
	}
	if c.session.logs[key] == nil {
		about := logs.Results{Model: c.name(), DType: dtypeName(m.DType), Parameters: m.Config.NumParameters(), Limit: c.Options.Limit, Seed: c.Options.Seed, Date: time.Now().UTC(),
			Seconds: took.Seconds(), MaxLength: m.Config.MaxPositions}
		about.ModelArgs = fmt.Sprintf("pretrained=%s,dtype=%s", about.Model, about.DType)
		if c.Options.Adapter != "" {
			about.ModelArgs += ",peft=" + filepath.Base(c.Options.Adapter)
		}
		if c.Options.Chat {
			template, err := c.chatTemplate(context.Background())
			if err != nil {
				return err
			}
			about.ChatTemplate = template.Source()
		}
		c.session.logs[key] = eval.NewLogs(dir, about)
	}
	c.progress("writing the log of answers", 0, 0)
	return c.session.logs[key].Add(c.task, found)
}

// answerByOther puts the answers of another model into the store: one model is held at a time.
func (c *compared) answerByOther(ctx context.Context, a client.Arm, o eval.Options) error {
	other := *c.Request
	other.Options = *c.Other
	j := &job{Request: &other, session: c.session, out: c.out}
	r, err := j.runner()
	if err != nil {
		return err
	}
	arm, err := j.arm(a)
	if err != nil {
		return err
	}
	if c.otherJob, err = j.resultJob(r); err != nil {
		return err
	}
	o.Runner, o.Job = func() (*engine.Runner, error) { return r, nil }, c.otherJob
	if p := c.session.part; p != nil {
		return p.answer(ctx, c.task, []eval.Arm{arm}, o)
	}
	_, err = eval.Compare(ctx, c.task, []eval.Arm{arm}, o)
	return err
}

// store is where results are kept: the default, or for a check a temporary one that lives as long as the session.
func (j *job) store() (*store.Store, error) {
	if p := j.session.part; p != nil {
		return p.store, nil
	}
	if j.Store != "fresh" {
		return store.Open(j.Store)
	}
	if j.session.fresh == nil {
		j.session.fresh = store.Fresh()
	}
	return j.session.fresh, nil
}

// runner runs sequences through the request's model.
func (j *job) runner() (*engine.Runner, error) {
	m, err := j.open()
	if err != nil {
		return nil, err
	}
	if j.session.runner == nil || j.session.runner.Model() != m || j.session.budget != j.Options.Budget {
		j.session.runner, j.session.budget = engine.New(m, engine.Options{Budget: j.Options.Budget}), j.Options.Budget
	}
	return j.session.runner, nil
}

// engineProgress passes on how far an engine is.
func (j *job) engineProgress(p engine.Progress) {
	note := p.Note
	if p.Compiling != "" {
		note = strings.TrimPrefix(note+", compiling "+p.Compiling, ", ")
	}
	j.out.send(client.Event{Progress: &client.Progress{Stage: p.Stage, Done: p.Done, Total: p.Total, Note: note}})
}

// armKeys are what tells the arms' computations apart.
func (c *compared) armKeys() string {
	text, err := json.Marshal(c.Request.Arms)
	if err != nil { // strings and JSON only: cannot fail
		panic(err)
	}
	return string(text)
}

// answer is how an arm answers, as a request has it.
type answer struct {
	reason.Arm
	Instructed bool    `json:"instructed"` // with reason.Instruction before the prompt
	Like       *answer `json:"like"`       // the arm that fillers are like
}

// reasoning is the arm with its instruction.
func (a answer) reasoning() reason.Arm {
	if a.Instructed {
		a.Instruction = reason.Instruction
	}
	if a.Like != nil {
		like := a.Like.reasoning()
		a.Arm.Like = &like
	}
	return a.Arm
}

// arm makes a request's arm one that a comparison can answer by.
func (j *job) arm(a client.Arm) (eval.Arm, error) {
	m, err := j.open()
	if err != nil {
		return eval.Arm{}, err
	}
	plan, err := j.plan(a, m)
	if err != nil {
		return eval.Arm{}, err
	}
	out := eval.Arm{Name: a.Name, Plan: plan}
	if len(a.Answer) == 0 {
		return out, nil
	}
	var how answer
	if err := json.Unmarshal(a.Answer, &how); err != nil {
		return out, fmt.Errorf("arm %q: how it answers: %w", a.Name, err)
	}
	if how.Kind == client.Written {
		written := eval.Extracted{Tokens: how.Budget}
		if how.Instructed {
			written.Instruction = eval.AuthorsInstruction
		}
		out.Answer = written
		return out, nil
	}
	arm := how.reasoning()
	if err := arm.Validate(); err != nil {
		return out, fmt.Errorf("arm %q: %w", a.Name, err)
	}
	out.Answer = arm
	return out, nil
}

// count gives fillers that are like another arm of the comparison what that arm is known to take, or takes now: so that it is computed once.
func (c *compared) count(ctx context.Context, arms []eval.Arm, o eval.Options) error {
	o.Controls, o.Groups = nil, eval.GroupsNone
	for i, arm := range arms {
		control, ok := arm.Answer.(reason.Arm)
		if !ok || control.Like == nil {
			continue
		}
		like := slices.IndexFunc(arms, func(a eval.Arm) bool {
			of, ok := a.Answer.(reason.Arm)
			return ok && of.Hash() == control.Like.Hash() && a.Plan.Hash() == arm.Plan.Hash()
		})
		if like < 0 {
			continue // it computes what it is like
		}
		o.Progress = func(p engine.Progress) { // a stage of its own: the comparison's has another total
			p.Stage = "tokens of " + arms[like].Name
			c.engineProgress(p)
		}
		found, err := eval.Compare(ctx, c.task, arms[like:like+1], o)
		if err != nil {
			return err
		}
		if arms[i].Answer, err = control.Counted(found, 0); err != nil {
			return err
		}
	}
	return nil
}
