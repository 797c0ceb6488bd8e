package eval

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval/extract"
	"github.com/attune-lab/attune/pkg/model"
)

// Extracted answers by writing: the model continues the prompt, greedily, and the answer is read out of what it wrote (package extract). An
// answer that cannot be read is wrong and counted as unparsed ([Row].Unparsed).
//
// With an instruction it is the protocol of arXiv 2403.14932: the instruction stands before the prompt, whose last line (the cue that asks for
// the answer at once) is left out, and up to 2,048 tokens are written. Options must stand in the prompt, see [TaskOptions].Letters.
type Extracted struct {
	Tokens      int    `json:"tokens"`                // written at most; 0 = 2,048
	Instruction string `json:"instruction,omitempty"` // before the prompt; "" = the prompt as it is
	// Stop ends the text; nil = the beginnings of a further question.
	Stop []string `json:"stop"`
}

// AuthorsInstruction asks for the form that the authors of arXiv 2403.14932 read: an analysis of every option, then the letter.
const AuthorsInstruction = "Write \"Analysis:\" and say of every option whether it is right and why. Then write \"Response:\" and the letter of the right option.\n\n"

// Bounds of what is written.
const (
	extractedTokens = 2048 // as the authors do
	roomStep        = 64   // where the context has less room, the tokens are a multiple of it, so that prompts share passes
	leastRoom       = 16   // tokens; a prompt that leaves less is refused
	writtenTogether = 32   // examples between two hand-outs: what a killed run loses at most
)

var nextQuestions = []string{"\nQuestion:", "\nQ:"}

func (x Extracted) withDefaults() Extracted {
	if x.Tokens <= 0 {
		x.Tokens = extractedTokens
	}
	if x.Stop == nil {
		x.Stop = nextQuestions
	}
	return x
}

// Name implements [Answer].
func (x Extracted) Name() string { return fmt.Sprintf("extracted %d", x.withDefaults().Tokens) }

// JSON implements [Answer].
func (x Extracted) JSON() json.RawMessage {
	text, err := json.Marshal(x.withDefaults())
	if err != nil { // strings and ints only: cannot fail
		panic(err)
	}
	return text
}

// written is an Outcome's Detail.
type written struct {
	Ended bool `json:"ended"` // by itself, before the last token that there was room for
}

// Run implements [Answer].
func (x Extracted) Run(ctx context.Context, r *engine.Runner, e model.Experiment, xs []Example, each func(i int, o Outcome) error) error {
	x = x.withDefaults()
	m := r.Model()
	if m.Tokenizer == nil {
		return errors.New("eval: the model has no tokenizer.json, and items are text: put one into its directory")
	}
	prompts := make([][]int, len(xs))
	rooms := make(map[int][]int) // places by the tokens that may be written
	for i, example := range xs {
		prompts[i] = example.Encode(m.Tokenizer, x.prompt(example))
		if len(prompts[i]) == 0 {
			return fmt.Errorf("example %s: the prompt has no token", example.ID)
		}
		room := min(x.Tokens, m.Config.MaxPositions-len(prompts[i]))
		if room < x.Tokens && room > roomStep {
			room -= room % roomStep
		}
		if room < min(leastRoom, x.Tokens) {
			why := fmt.Sprintf("%d tokens leave no room for an answer in the model's context of %d", len(prompts[i]), m.Config.MaxPositions)
			if err := each(i, Outcome{Tokens: Tokens{Prompt: len(prompts[i])}, Refused: why}); err != nil {
				return err
			}
			continue
		}
		rooms[room] = append(rooms[room], i)
	}
	for room, places := range rooms {
		slices.SortStableFunc(places, func(i, j int) int { return cmp.Compare(len(prompts[j]), len(prompts[i])) })
		for part := range slices.Chunk(places, writtenTogether) {
			batch, extents := make([][]int, len(part)), make([]model.Extent, len(part))
			for k, i := range part {
				var err error
				if extents[k], err = xs[i].Extent(m.Tokenizer, x.prompt(xs[i]), prompts[i]); err != nil {
					return fmt.Errorf("example %s: %w", xs[i].ID, err)
				}
				batch[k] = prompts[i]
			}
			options := model.GenerateOptions{MaxTokens: room, Stop: x.Stop, Extents: extents}
			err := r.Generate(ctx, batch, options, e, func(k int, t engine.Text) error {
				i := part[k]
				o := Outcome{Text: t.Text, Tokens: Tokens{Prompt: len(prompts[i]), Reasoning: len(t.Tokens)}}
				o.Letter, o.Parsed = xs[i].question().Read(t.Text)
				var err error
				if o.Detail, err = json.Marshal(written{Ended: len(t.Tokens) < room}); err != nil {
					return err
				}
				return each(i, o)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// prompt is what the model continues.
func (x Extracted) prompt(e Example) string {
	if x.Instruction == "" {
		return e.Prompt
	}
	prompt := e.Prompt
	if at := strings.LastIndexByte(strings.TrimRight(prompt, "\n"), '\n'); at >= 0 && e.Open == nil {
		prompt = prompt[:at+1]
	}
	return x.Instruction + prompt
}

// question is the form of an example's answer.
func (e Example) question() extract.Question {
	if e.Open != nil {
		return *e.Open
	}
	return extract.Question{Form: extract.Letter, Letters: len(e.Choices), Options: e.Options}
}
