package reason

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
)

// together is how many examples are answered before their outcomes are handed out: what a killed run loses at most.
const together = 32

// Run implements [eval.Answer]: it answers the examples after the arm's computation, the experiment acting on all of it. Scores are log-likelihoods of the choices; those of
// self-consistency are log((votes + mean probability) / (samples + 1)), and its answer is the majority's letter, among equals the more probable: a vote has
// no score per character. A sample all of whose choices tie casts no vote; where none casts one, nothing is answered.
func (a Arm) Run(ctx context.Context, r *engine.Runner, e model.Experiment, xs []eval.Example, each func(i int, o eval.Outcome) error) error {
	if err := a.Validate(); err != nil {
		return err
	}
	if r.Model().Tokenizer == nil {
		return errors.New("reason: the model has no tokenizer.json, and items are text: put one into its directory")
	}
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(len(xs[j].Prompt), len(xs[i].Prompt)) })
	for part := range slices.Chunk(order, together) {
		c := &computation{arm: a.withDefaults(), runner: r, tok: r.Model().Tokenizer, experiment: e}
		for _, i := range part {
			c.examples = append(c.examples, xs[i])
		}
		outcomes, err := c.run(ctx)
		if err != nil {
			return err
		}
		for k, i := range part {
			if err := each(i, outcomes[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// computation is an arm at work on some examples.
type computation struct {
	arm        Arm
	runner     *engine.Runner
	tok        *tokenizer.Tokenizer
	experiment model.Experiment
	examples   []eval.Example
}

// thought is what was reasoned about an example.
type thought struct {
	text    string
	used    int    // tokens that were generated, those of a cue that the model wrote itself left out
	forced  int    // tokens that were put between
	cut     int    // tokens cut off the prompt, at most in one pass
	ended   bool   // by itself, within the budget
	refused string // why nothing was reasoned
}

// detail is what an outcome's Detail holds.
type detail struct {
	Ended    int      `json:"ended"`              // thoughts that ended by themselves within the budget
	Thoughts []string `json:"thoughts,omitempty"` // what was reasoned, one text per sample
	Answers  []int    `json:"answers,omitempty"`  // of self-consistency: the choice of each sample, -1 where all choices tie
}

func (c *computation) run(ctx context.Context) (outcomes []eval.Outcome, err error) {
	details := make([]detail, len(c.examples))
	switch c.arm.Kind {
	case Direct:
		outcomes, err = c.answer(ctx, c.examples)
	case Filler, Repeat:
		outcomes, err = c.lengthened(ctx)
	case SelfConsistency:
		outcomes, err = c.vote(ctx, details)
	default:
		outcomes, err = c.reasoned(ctx, details, model.Sampling{}, 0)
	}
	if err != nil {
		return nil, err
	}
	for i := range outcomes {
		if outcomes[i].Detail, err = json.Marshal(details[i]); err != nil {
			return nil, fmt.Errorf("reason: %w", err)
		}
	}
	return outcomes, nil
}

// cue cuts a prompt in front of its last line, which asks for the answer.
func cue(e eval.Example) (question, cue string, err error) {
	at := strings.LastIndexByte(e.Prompt, '\n')
	if at < 0 || strings.TrimSpace(e.Prompt[at:]) == "" {
		return "", "", fmt.Errorf("reason: example %s: the prompt has no last line that asks for the answer, such as \"Response:\": reasoning would have no place before it", e.ID)
	}
	return e.Prompt[:at], e.Prompt[at:], nil
}

// lengthened answers after fillers, or after repetitions of the question. They stand before the cue, so that the model is not asked to continue them.
func (c *computation) lengthened(ctx context.Context) ([]eval.Outcome, error) {
	outcomes := make([]eval.Outcome, len(c.examples))
	budgets, refused, err := c.budgets(ctx)
	if err != nil {
		return nil, err
	}
	var asked []eval.Example
	var places, cues, more []int // cues and what is put before them in tokens
	for i, e := range c.examples {
		if outcomes[i].Refused = refused[i]; refused[i] != "" {
			continue
		}
		question, cue, err := cue(e)
		if err != nil {
			return nil, err
		}
		length := func(between string) int { return len(e.Encode(c.tok, question+between+cue)) }
		between := strings.Repeat("\n\n"+question, c.arm.Times)
		if c.arm.Kind == Filler { // as many as make at most so many tokens more
			most := length("") + budgets[i]
			n := sort.Search(budgets[i], func(n int) bool { return length(strings.Repeat(c.arm.Fill, n+1)) > most })
			between = strings.Repeat(c.arm.Fill, n)
		}
		cues, more = append(cues, len(c.tok.EncodePlain(cue))), append(more, length(between)-length(""))
		e.Prompt = question + between + cue
		asked, places = append(asked, e), append(places, i)
	}
	answered, err := c.answer(ctx, asked)
	for k, i := range places {
		o := answered[k]
		if o.Refused == "" {
			o.Tokens.Cue, o.Tokens.Forced = cues[k], more[k]
			o.Tokens.Prompt -= cues[k] + more[k]
		}
		outcomes[i] = o
	}
	return outcomes, err
}

// budgets are the tokens of filler of each example: those of the arm that the fillers are like, where there is one, which may refuse an example.
func (c *computation) budgets(ctx context.Context) (budgets []int, refused []string, err error) {
	budgets, refused = slices.Repeat([]int{c.arm.Budget}, len(c.examples)), make([]string, len(c.examples))
	if c.arm.Like == nil {
		return budgets, refused, nil
	}
	like := &computation{arm: *c.arm.Like, runner: c.runner, tok: c.tok, experiment: c.experiment}
	var places []int
	for i, e := range c.examples {
		if known, ok := c.arm.Known[e.Hash()]; ok {
			budgets[i] = known
			continue
		}
		like.examples, places = append(like.examples, e), append(places, i)
	}
	if len(places) == 0 {
		return budgets, refused, nil
	}
	outcomes, err := like.run(ctx)
	if err != nil {
		return nil, nil, err
	}
	for k, i := range places {
		budgets[i], refused[i] = outcomes[k].Tokens.Reasoning+outcomes[k].Tokens.Forced, outcomes[k].Refused
	}
	return budgets, refused, nil
}

// answer scores the choices after whole prompts.
func (c *computation) answer(ctx context.Context, asked []eval.Example) ([]eval.Outcome, error) {
	outcomes := make([]eval.Outcome, len(asked))
	err := eval.Choices{Cut: c.arm.Cut}.Run(ctx, c.runner, c.experiment, asked, func(i int, o eval.Outcome) error {
		outcomes[i] = o
		return nil
	})
	return outcomes, err
}

// reasoned thinks once about each example and answers.
func (c *computation) reasoned(ctx context.Context, details []detail, sampling model.Sampling, sample int) ([]eval.Outcome, error) {
	opened, cues := make([]string, len(c.examples)), make([]string, len(c.examples))
	for i, e := range c.examples {
		question, cue, err := cue(e)
		if err != nil {
			return nil, err
		}
		opened[i], cues[i] = c.arm.Instruction+question+"\n"+c.arm.Opening, cue
	}
	thoughts, err := c.think(ctx, opened, cues, sampling, sample)
	if err != nil {
		return nil, err
	}
	var asked []eval.Example
	var places []int
	outcomes := make([]eval.Outcome, len(c.examples))
	for i, t := range thoughts {
		if t.refused != "" {
			outcomes[i].Refused = t.refused
			continue
		}
		e := c.examples[i]
		e.Given, e.Prompt = opened[i], opened[i]+strings.TrimRight(t.text, " \n")+cues[i]
		asked, places = append(asked, e), append(places, i)
		details[i].Thoughts = append(details[i].Thoughts, t.text)
		if t.ended {
			details[i].Ended++
		}
	}
	answered, err := c.answer(ctx, asked)
	if err != nil {
		return nil, err
	}
	for k, i := range places {
		o, t := answered[k], thoughts[i]
		if o.Refused == "" {
			cut := max(o.Tokens.Cut, t.cut)
			o.Tokens = eval.Tokens{Prompt: len(c.examples[i].Encode(c.tok, opened[i])) - cut, Cue: len(c.tok.EncodePlain(cues[i])), Reasoning: t.used, Forced: t.forced,
				Answer: o.Tokens.Answer, Cut: cut}
		}
		outcomes[i] = o
	}
	return outcomes, nil
}

// think reasons about all examples side by side.
func (c *computation) think(ctx context.Context, opened, cues []string, sampling model.Sampling, sample int) ([]thought, error) {
	thoughts := make([]thought, len(c.examples))
	active := make([]int, len(c.examples))
	for i := range active {
		active[i] = i
	}
	for wait := 0; len(active) > 0; wait++ {
		var prompts [][]int
		var asked, left []int // examples, and the tokens that each may still take
		options := model.GenerateOptions{Sampling: sampling}
		for _, i := range active {
			e, t := c.examples[i], &thoughts[i]
			more := c.arm.Budget - t.used - t.forced
			e.Given = opened[i]
			whole := e.Encode(c.tok, opened[i]+t.text)
			extent, err := e.Extent(c.tok, opened[i]+t.text, whole)
			if err != nil {
				return nil, fmt.Errorf("reason: example %s: %w", e.ID, err)
			}
			prompt, err := c.fit(whole, more+len(c.tok.EncodePlain(cues[i]))+longest(c.tok.EncodePlain, e.Choices), t)
			if err != nil {
				return nil, fmt.Errorf("reason: example %s: %w", e.ID, err)
			}
			if t.refused != "" {
				continue
			}
			prompts, asked, left = append(prompts, prompt), append(asked, i), append(left, more)
			options.Extents = append(options.Extents, eval.CropExtent(extent, len(whole)-len(prompt)))
			options.MaxTokens = max(options.MaxTokens, more)
			options.SampleIDs = append(options.SampleIDs, sampleID(c.examples[i], sample))
			if !slices.Contains(options.Stop, cues[i]) {
				options.Stop = append(options.Stop, cues[i])
			}
		}
		var again []int
		err := c.runner.Generate(ctx, prompts, options, c.experiment, func(k int, g engine.Text) error {
			i := asked[k]
			t := &thoughts[i]
			tokens := g.Tokens[:min(len(g.Tokens), left[k])]
			text, _, closed := strings.Cut(c.tok.Decode(tokens), cues[i])
			used := len(tokens)
			if closed {
				used = sort.Search(used, func(n int) bool { return len(c.tok.Decode(tokens[:n])) >= len(text) })
			}
			t.text, t.used, t.ended = t.text+text, t.used+used, closed || len(tokens) < left[k]
			if wait < c.arm.Waits && t.ended {
				n := len(c.tok.EncodePlain(c.arm.Wait))
				if c.arm.Budget-t.used-t.forced > n {
					t.text, t.forced = strings.TrimRight(t.text, " \n")+c.arm.Wait, t.forced+n
					again = append(again, i)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.Sort(again) // texts come in no order
		active = again
	}
	return thoughts, nil
}

// fit makes room in the context for what comes: it cuts a prompt on the left where the arm says so, and refuses the example elsewhere.
func (c *computation) fit(prompt []int, coming int, t *thought) ([]int, error) {
	context := c.runner.Model().Config.MaxPositions
	room := context - coming
	switch {
	case len(prompt) <= room:
		return prompt, nil
	case room < 2:
		return nil, fmt.Errorf("a budget of %d tokens and the answer leave no room for the prompt in the model's context of %d: lower it", c.arm.Budget, context)
	case !c.arm.Cut:
		t.refused = fmt.Sprintf("%d tokens and %d for reasoning and answer, the model's context is %d", len(prompt), coming, context)
		return nil, nil
	}
	t.cut = max(t.cut, len(prompt)-room)
	return eval.Crop(prompt, room), nil
}

// vote reasons several times about each example and counts the answers.
func (c *computation) vote(ctx context.Context, details []detail) ([]eval.Outcome, error) {
	outcomes := make([]eval.Outcome, len(c.examples))
	for i, e := range c.examples {
		outcomes[i].Scores = make([]float64, len(e.Choices))
	}
	for sample := range c.arm.Samples {
		each, err := c.reasoned(ctx, details, model.Sampling{Temperature: c.arm.Temperature, Seed: c.arm.Seed}, sample)
		if err != nil {
			return nil, err
		}
		for i, e := range c.examples {
			o := &outcomes[i]
			if each[i].Refused != "" {
				*o = each[i]
				continue
			}
			o.Tokens = sum(o.Tokens, each[i].Tokens)
			choice, _, decided := eval.Choose(eval.Acc, e, each[i].Scores)
			if decided {
				o.Scores[choice]++
			} else {
				choice = -1
			}
			details[i].Answers = append(details[i].Answers, choice)
			total := 0.0
			for _, x := range each[i].Scores {
				total += math.Exp(x)
			}
			if total == 0 {
				return nil, errors.New("reason: every choice has probability 0 after example " + e.ID)
			}
			for k, x := range each[i].Scores {
				o.Scores[k] += math.Exp(x) / total / float64(c.arm.Samples)
			}
		}
	}
	for i, e := range c.examples {
		o := &outcomes[i]
		if o.Refused != "" {
			continue
		}
		for k := range o.Scores {
			o.Scores[k] = math.Log(max(o.Scores[k], math.SmallestNonzeroFloat64) / float64(c.arm.Samples+1))
		}
		if choice, _, decided := eval.Choose(eval.Acc, e, o.Scores); decided {
			o.Letter, o.Parsed = corpus.Letter(choice), true
		}
	}
	return outcomes, nil
}

// sum adds up the tokens of two samples, the prompt's too, since it is computed for each.
func sum(a, b eval.Tokens) eval.Tokens {
	return eval.Tokens{Prompt: a.Prompt + b.Prompt, Cue: a.Cue + b.Cue, Reasoning: a.Reasoning + b.Reasoning, Forced: a.Forced + b.Forced, Answer: a.Answer + b.Answer, Cut: a.Cut + b.Cut}
}

// sampleID numbers a random stream by example and sample, so that an example is sampled alike in any batch.
func sampleID(e eval.Example, sample int) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", e.Hash(), sample))
	return binary.LittleEndian.Uint64(sum[:])
}

// longest is the most tokens that one of the choices has.
func longest(encode func(string) []int, choices []string) int {
	n := 0
	for _, c := range choices {
		n = max(n, len(encode(c)))
	}
	return n
}
