package lab

import (
	"encoding/json"

	"github.com/attune-lab/attune/pkg/report"
)

// Comparison is a handle on arms that answer the same items, each compared with the first. It is lazy: the first view computes it, and what the store has is not computed again.
type Comparison struct {
	session *Session
	arms    []Arm
	more    args
}

// Compare answers the session's items by every arm.
func (s *Session) Compare(arms ...Arm) *Comparison { return &Comparison{session: s, arms: arms} }

// CompareModels answers the same items by two sessions' models.
func CompareModels(before, after *Session) *Comparison {
	other := before.options
	return &Comparison{session: after, arms: []Arm{{Name: before.called("before")}, {Name: after.called("after")}}, more: args{"other": other}}
}

func (c *Comparison) view(name string, a args) *report.Part {
	return c.session.part("compare", name, c.arms, c.args(a))
}

func (c *Comparison) args(a args) args {
	if a == nil {
		a = args{}
	}
	for name, value := range c.more {
		a[name] = value
	}
	return a
}

// Parts are the table, the bars and the interaction.
func (c *Comparison) Parts() []*report.Part {
	return []*report.Part{c.Table(), c.Bars(), c.Interaction()}
}

// Rows are plain data: counts, accuracies, differences, intervals, p.
func (c *Comparison) Rows() []report.Compared {
	return data[[]report.Compared](c.session, "compare", "rows", c.arms, c.args(nil))
}

// Table is every arm against the first, by group, with the findings.
func (c *Comparison) Table() *report.Part { return c.view("table", nil) }

// Bars are the accuracies with their Wilson intervals.
func (c *Comparison) Bars() *report.Part { return c.view("bars", nil) }

// Differences are the paired differences with their intervals.
func (c *Comparison) Differences() *report.Part { return c.view("differences", nil) }

// Interaction asks whether an arm changes items outside STEM more than STEM ones.
func (c *Comparison) Interaction() *report.Part { return c.view("interaction", nil) }

// Subjects lists every subject or domain, outside the tested family.
func (c *Comparison) Subjects() *report.Part { return c.view("subjects", args{"byDomain": true}) }

// Cost is accuracy against computed tokens.
func (c *Comparison) Cost() *report.Part { return c.view("cost", nil) }

// Within compares each arm under an intervention with the same arm without one.
func (c *Comparison) Within() *report.Part { return c.view("within", nil) }

// Thoughts show how the arms that reason went about an item.
func (c *Comparison) Thoughts(item int) *report.Part { return c.view("thoughts", args{"item": item}) }

// Samples shows, for each arm, the first n items whose answer it changes.
func (c *Comparison) Samples(n int) *report.Part { return c.view("samples", args{"n": n}) }

// Unparsed shows, for each arm, the first n texts that no answer could be read from.
func (c *Comparison) Unparsed(n int) *report.Part { return c.view("unparsed", args{"n": n}) }

// Losses is a handle on the loss of the session's texts under each arm, paired by text with the first.
type Losses struct {
	session *Session
	arms    []Arm
	windows args
}

// Perplexity measures the mean negative log-likelihood of a token of the session's texts under every arm. A text longer than the context is read in windows of the context that
// move on by half of it, see [Losses.In].
func (s *Session) Perplexity(arms ...Arm) *Losses { return &Losses{session: s, arms: arms} }

// In reads long texts in windows of so many tokens that move on by a stride; 0 stands for the context and for half a window.
func (l *Losses) In(window, stride int) *Losses {
	return &Losses{l.session, l.arms, args{"window": window, "stride": stride}}
}

// Parts are the table, the differences and the finding.
func (l *Losses) Parts() []*report.Part {
	return []*report.Part{l.session.part("perplexity", "", l.arms, l.windows)}
}

// Effect is a handle on what one intervention changes in attention and in the next token's distribution, text by text.
type Effect struct {
	session *Session
	arm     Arm
}

// Effect measures the session's texts twice, plainly and under an arm's intervention.
func (s *Session) Effect(arm Arm) *Effect { return &Effect{s, arm} }

// Rows is what becomes of attention rows, by layer.
func (e *Effect) Rows() *report.Part { return e.session.part("effect", "rows", []Arm{e.arm}, nil) }

// Logits is what becomes of the next token's distribution.
func (e *Effect) Logits() *report.Part { return e.session.part("effect", "logits", []Arm{e.arm}, nil) }

// Parts are both.
func (e *Effect) Parts() []*report.Part { return []*report.Part{e.Rows(), e.Logits()} }

// Texts are what a model writes under each arm.
type Texts struct {
	session *Session
	arms    []Arm
	args    args
}

// Generate continues a prompt greedily under every arm, at most that many tokens. An empty prompt is the first item's, and its analysis where it has one.
func (s *Session) Generate(prompt string, tokens int, arms ...Arm) *Texts {
	return &Texts{s, arms, args{"prompt": prompt, "tokens": tokens}}
}

// Strings are the texts.
func (t *Texts) Strings() []string { return data[[]string](t.session, "generate", "", t.arms, t.args) }

// Parts is the prompt and the texts.
func (t *Texts) Parts() []*report.Part {
	return []*report.Part{t.session.part("generate", "", t.arms, t.args)}
}

// Parity compares the session's model with tensors that another implementation computed on the same weights: a safetensors file. With "self" it checks what must hold of
// any model: rows sum to one, a change changes something, padding and batch mates do not matter, decode equals prefill.
func (s *Session) Parity(reference string) *report.Part {
	return s.part("parity", "", nil, args{"reference": reference})
}

// Bench says what is measured; its fields are the recipe's parameters.
type Bench struct {
	Dimensions string `json:"dimensions"` // llama-2-7b, llama-3.2-1b or small
	Tokens     int    `json:"tokens"`     // length of the prefill
	Prompt     int    `json:"prompt"`     // tokens before decoding starts
	NewTokens  int    `json:"newTokens"`  // decoding is timed between as many new tokens and three times as many
	Batch      int    `json:"batch"`      // sequences of the batched decoding
	Repeats    int    `json:"repeats"`    // of each measurement, after one to warm up
	Peer       bool   `json:"peer"`       // run the peer too, where it can run
	Checkpoint string `json:"checkpoint"` // a directory or hf: reference whose decoding is measured too; "" = none
	Memory     string `json:"memory"`     // dimensions of the model whose peak memory is measured, on the Go backend; "" = none
}

// Speed is a handle on a benchmark. What it measures is never stored.
type Speed struct {
	session *Session
	bench   Bench
}

// Bench measures prefill and decoding at published dimensions with random weights.
func (s *Session) Bench(b Bench) *Speed { return &Speed{s, b} }

// Speed is tokens per second.
func (v *Speed) Speed() *report.Part { return v.session.part("bench", "speed", nil, v.bench) }

// Memory is the peak of opening and running a checkpoint, on the Go backend.
func (v *Speed) Memory() *report.Part { return v.session.part("bench", "memory", nil, v.bench) }

// Peer is the same work in PyTorch, and the ratios.
func (v *Speed) Peer() *report.Part { return v.session.part("bench", "peer", nil, v.bench) }

// Parts are all three.
func (v *Speed) Parts() []*report.Part { return []*report.Part{v.Speed(), v.Memory(), v.Peer()} }

// JSON is everything that was measured, in one line.
func (v *Speed) JSON() string {
	return string(data[json.RawMessage](v.session, "bench", "json", nil, v.bench))
}
