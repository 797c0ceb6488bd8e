package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
)

// Choices answers by the log-likelihood of every choice: the sum over the tokens of the continuation.
//
// Tokens are those of the common harness: prompt and choice are encoded together and cut at the length of the prompt's own tokens; a prompt that ends in white space
// gives it to the choice. Where every choice is one token after the same prompt, one sequence scores them all. Where the runner takes trees, the choices of an example
// are branches of one tree, so that the prompt is computed once: see join.
type Choices struct {
	// Cut shortens prompts that are longer than the context on the left, behind their first token, and counts what was cut. By default such an example is refused,
	// since half a question is another one.
	Cut bool `json:"cut,omitempty"`
}

// Name implements [Answer].
func (Choices) Name() string { return "choices" }

// JSON implements [Answer].
func (c Choices) JSON() json.RawMessage {
	text, err := json.Marshal(c)
	if err != nil { // a bool: cannot fail
		panic(err)
	}
	return text
}

// Run implements [Answer]. All examples are laid out before the first is scored, so that one that cannot be scored is found at once.
func (c Choices) Run(ctx context.Context, r *engine.Runner, e model.Experiment, xs []Example, each func(i int, o Outcome) error) error {
	end := r.Busy("reading prompts")
	layouts, err := c.layouts(ctx, r.Model(), xs)
	end()
	if err != nil {
		return err
	}
	trees, err := r.Trees(e)
	if err != nil {
		return err
	}
	var qs []engine.Sequence
	var owner, first []int // of each sequence: its example, and the example's first sequence
	left := make([]int, len(xs))
	outcomes := make([]Outcome, len(xs))
	for i := range layouts {
		l := &layouts[i]
		if trees {
			l.rows = join(l.rows)
		}
		outcomes[i] = Outcome{Tokens: Tokens{Prompt: l.prompt - l.cut, Cut: l.cut}, Refused: l.refused}
		if l.refused != "" {
			if err := each(i, outcomes[i]); err != nil {
				return err
			}
			continue
		}
		outcomes[i].Scores = make([]float64, len(xs[i].Choices))
		left[i] = len(l.rows)
		from := len(qs)
		for _, row := range l.rows {
			qs, owner, first = append(qs, engine.Sequence{Tokens: row.tokens, Targets: row.targets, Extent: row.extent, Branches: row.branches}), append(owner, i), append(first, from)
		}
	}
	return r.Score(ctx, qs, e, func(q int, logProbs []float64) error {
		i := owner[q]
		row := layouts[i].rows[q-first[q]]
		for t, choice := range row.choices {
			outcomes[i].Scores[choice] += logProbs[t]
		}
		if left[i]--; left[i] > 0 {
			return nil
		}
		o := outcomes[i]
		o.Tokens.Answer = layouts[i].answers[Predict(Acc, xs[i].Choices, o.Scores)]
		return each(i, o)
	})
}

// layout is an example as sequences.
type layout struct {
	rows    []row
	prompt  int    // tokens
	answers []int  // tokens of each choice
	cut     int    // tokens
	refused string // why it is not scored
}

// row is one sequence of a forward pass: a prompt with one choice, or with all of them.
type row struct {
	tokens  []int
	targets []model.Target
	choices []int // of each target; targets of one choice are summed
	extent  model.Extent

	branches []int // tokens of each choice, of a tree; see engine.Sequence
}

// mostJoined bounds the tokens of a tree, unless it is no longer than two of its sequences: attention over a row grows with the square of its length.
const mostJoined = 512

// join makes one tree of an example's rows: what all of them begin with, and behind it what each has of its own. Rows that differ in what of them is the prompt, as
// where some of them are cut, or whose tree would be too long, stay as they are.
func join(rows []row) []row {
	if len(rows) < 2 {
		return rows
	}
	shared, longest, whole := len(rows[0].tokens), 0, 0
	for _, r := range rows {
		if r.extent != rows[0].extent {
			return rows
		}
		n := 0
		for n < min(shared, len(r.tokens)) && r.tokens[n] == rows[0].tokens[n] {
			n++
		}
		shared, longest, whole = n, max(longest, len(r.tokens)), whole+len(r.tokens)
	}
	if whole -= shared * (len(rows) - 1); shared == 0 || whole > max(mostJoined, 2*longest) {
		return rows
	}
	tree := row{tokens: slices.Clone(rows[0].tokens[:shared]), extent: rows[0].extent}
	for _, r := range rows {
		moved := len(tree.tokens) - shared // of what stands behind the shared tokens
		tree.tokens, tree.branches = append(tree.tokens, r.tokens[shared:]...), append(tree.branches, len(r.tokens)-shared)
		for i, target := range r.targets {
			if target.Position >= shared {
				target.Position += moved
			}
			tree.targets, tree.choices = append(tree.targets, target), append(tree.choices, r.choices[i])
		}
	}
	return []row{tree}
}

// shared is an example's layout, made once for all arms of a comparison that ask it in the same way.
type shared struct {
	mu     sync.Mutex
	of     *tokenizer.Tokenizer
	how    Choices
	prompt [3]string // with what was given of it, and highlighted
	layout layout
}

// layouts lays the examples out, side by side.
func (c Choices) layouts(ctx context.Context, m *model.Model, xs []Example) ([]layout, error) {
	if m.Tokenizer == nil {
		return nil, errors.New("eval: the model has no tokenizer.json, and items are text: put one into its directory")
	}
	all := make([]layout, len(xs))
	failed := make([]error, len(xs))
	var workers sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for w := range n {
		workers.Go(func() {
			for i := w; i < len(xs) && ctx.Err() == nil; i += n {
				all[i], failed[i] = c.sharedLayout(m, xs[i])
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range failed {
		if err != nil {
			return nil, fmt.Errorf("example %s: %w", xs[i].ID, err)
		}
	}
	return all, nil
}

func (c Choices) sharedLayout(m *model.Model, e Example) (layout, error) {
	if e.shared == nil {
		return c.layout(m, e)
	}
	e.shared.mu.Lock()
	defer e.shared.mu.Unlock()
	prompt := [3]string{e.Prompt, e.Given, e.Highlight}
	if e.shared.of == m.Tokenizer && e.shared.how == c && e.shared.prompt == prompt {
		return e.shared.layout, nil
	}
	l, err := c.layout(m, e)
	if err == nil && e.shared.of == nil {
		e.shared.of, e.shared.how, e.shared.prompt, e.shared.layout = m.Tokenizer, c, prompt, l
	}
	return l, err
}

// Encode gives the tokens of a text of this example: with the special tokens that the tokenizer adds, unless the prompt brings its own or is to have none.
func (e Example) Encode(tok *tokenizer.Tokenizer, text string) []int {
	if e.Plain {
		return tok.EncodePlain(text)
	}
	return tok.Encode(text)
}

// Extent says what of the tokens of a prompt of this example was given, and what is highlighted.
func (e Example) Extent(tok *tokenizer.Tokenizer, prompt string, tokens []int) (model.Extent, error) {
	x := model.Extent{Prompt: len(tokens)}
	until := func(text string) int { // tokens, without one that reaches beyond the text
		n := 0
		for of := e.Encode(tok, text); n < len(of) && n < len(tokens) && of[n] == tokens[n]; n++ {
		}
		return n
	}
	if e.Given != "" && e.Given != prompt {
		if !strings.HasPrefix(prompt, e.Given) {
			return x, errors.New("what was given of the prompt is no beginning of it")
		}
		x.Prompt = max(1, until(e.Given))
	}
	if e.Highlight != "" {
		at := strings.LastIndex(prompt, e.Highlight)
		if at < 0 {
			return x, fmt.Errorf("the highlight %q does not stand in the prompt", e.Highlight)
		}
		x.Span = [2]int{until(prompt[:at]), until(prompt[:at+len(e.Highlight)])}
	}
	return x, nil
}

// CropExtent is the extent of a sequence of which Crop has cut so many tokens off behind the first.
func CropExtent(x model.Extent, cut int) model.Extent {
	left := func(at int) int {
		if at <= 1 {
			return at
		}
		return max(1, at-cut)
	}
	return model.Extent{Prompt: left(x.Prompt), Span: [2]int{left(x.Span[0]), left(x.Span[1])}}
}

// layout lays an example out as sequences.
func (c Choices) layout(m *model.Model, e Example) (layout, error) {
	if e.Open != nil {
		return layout{}, errors.New("it asks for an open answer and has no choices to score: answer it with Extracted")
	}
	prompt := strings.TrimRightFunc(e.Prompt, unicode.IsSpace)
	space := e.Prompt[len(prompt):]
	context := e.Encode(m.Tokenizer, prompt)
	l := layout{prompt: len(context), answers: make([]int, len(e.Choices))}
	if len(context) == 0 {
		return l, errors.New("the prompt has no token")
	}
	extent, err := e.Extent(m.Tokenizer, prompt, context)
	if err != nil {
		return l, err
	}
	wholes := make([][]int, len(e.Choices))
	oneToken, longest := true, 0
	for i, choice := range e.Choices {
		wholes[i] = e.Encode(m.Tokenizer, prompt+space+choice)
		l.answers[i] = len(wholes[i]) - len(context)
		if l.answers[i] <= 0 {
			return l, fmt.Errorf("choice %d (%q) adds no token to the prompt: its text merges with the prompt's last token, and a continuation needs a token of its own", i, choice)
		}
		longest = max(longest, l.answers[i])
		oneToken = oneToken && l.answers[i] == 1 && slices.Equal(wholes[i][:len(context)], wholes[0][:len(context)])
	}
	limit := m.Config.MaxPositions
	if needed := len(context) + longest - 1; needed > limit { // the last token is only predicted
		if !c.Cut || longest >= limit {
			l.refused = fmt.Sprintf("%d tokens with the longest choice, the model's context is %d", needed, limit)
			return l, nil
		}
		l.cut = needed - limit
	}
	if oneToken {
		r := row{tokens: Crop(wholes[0][:len(context)], limit)}
		r.extent = CropExtent(extent, len(context)-len(r.tokens))
		for i, whole := range wholes {
			r.targets = append(r.targets, model.Target{Position: len(r.tokens) - 1, Token: whole[len(context)]})
			r.choices = append(r.choices, i)
		}
		l.rows = []row{r}
		return l, nil
	}
	for i, whole := range wholes {
		continuation := whole[len(context):]
		r := row{tokens: Crop(whole[:len(whole)-1], limit)}
		r.extent = CropExtent(extent, len(whole)-1-len(r.tokens))
		for k, id := range continuation {
			r.targets = append(r.targets, model.Target{Position: len(r.tokens) - len(continuation) + k, Token: id})
			r.choices = append(r.choices, i)
		}
		l.rows = append(l.rows, r)
	}
	return l, nil
}

// Crop cuts a sequence to at most n tokens, n at least 1: its first token (BOS, in most models) and its last ones stay.
func Crop(tokens []int, n int) []int {
	if len(tokens) <= n {
		return tokens
	}
	return append([]int{tokens[0]}, tokens[len(tokens)-n+1:]...)
}
