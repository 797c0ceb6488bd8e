package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/source"
	"github.com/attune-lab/attune/pkg/hf/chat"
)

// betweenShots stands between worked examples where a template says nothing.
const betweenShots = "\n\n"

// Chat turns every prompt into the user's message of a conversation that ends where the assistant's answer begins, worked examples included. The text brings its own special
// tokens. Choices lose their separating space, as in the common harness: they begin the answer.
func (t *Task) Chat(template *chat.Template) error {
	for i := range t.Examples {
		e := &t.Examples[i]
		text, err := template.Render([]chat.Message{{Role: "user", Content: e.Prompt}}, chat.Options{AddGenerationPrompt: true})
		if err != nil {
			return fmt.Errorf("eval: task %s: example %s: %w", t.Name, e.ID, err)
		}
		choices := make([]string, len(e.Choices))
		for k, choice := range e.Choices {
			choices[k] = strings.TrimPrefix(choice, " ")
		}
		e.Prompt, e.Choices, e.Plain = text, choices, true
		if len(choices) > 0 && e.Answer < len(choices) {
			e.Text = text + choices[e.Answer]
		}
	}
	probe, err := template.Render([]chat.Message{{Role: "user", Content: "{prompt}"}}, chat.Options{AddGenerationPrompt: true})
	if err != nil {
		return fmt.Errorf("eval: task %s: %w", t.Name, err)
	}
	t.rename("chat", probe)
	return nil
}

// WithoutBOS leaves out the tokens that the tokenizer puts before a prompt.
func (t *Task) WithoutBOS() {
	for i := range t.Examples {
		t.Examples[i].Plain = true
	}
	t.rename("no BOS")
}

// rename gives the task another template's hash, since its scores are not comparable with those under the plain prompt.
func (t *Task) rename(parts ...string) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q", t.TemplateHash, parts))
	t.TemplateHash = hex.EncodeToString(sum[:])
}

// worked are the examples of each domain that stand before its items, and the items that are left to be asked. MMLU and GSM8K have a split for them; of other sets, the
// first items are taken out.
func workedItems(ref string, set *source.Set, shots int) (worked map[string][]corpus.Item, rest []corpus.Item, err error) {
	worked = map[string][]corpus.Item{}
	if shots == 0 {
		return worked, set.Items, nil
	}
	if set.Kind == source.KindMMLU {
		dev, err := source.ReadMMLU(ref, "dev")
		if err != nil {
			return nil, nil, fmt.Errorf("eval: %d worked examples asked for: %w", shots, err)
		}
		for _, item := range dev {
			worked[item.Domain] = append(worked[item.Domain], item)
		}
		return worked, set.Items, nil
	}
	if len(set.Items) <= shots {
		return nil, nil, fmt.Errorf("eval: %d worked examples asked for and %s has %d items: none would be left to ask", shots, ref, len(set.Items))
	}
	for _, item := range set.Items {
		worked[item.Domain] = set.Items[:shots]
	}
	return worked, set.Items[shots:], nil
}

// workedProblems are workedItems of problems that ask for open answers.
func workedProblems(ref string, set *source.Set, shots int) (worked, rest []corpus.Problem, err error) {
	switch {
	case shots == 0:
		return nil, set.Problems, nil
	case set.Kind == source.KindGSM8K:
		if worked, err = source.ReadGSM8K(ref, "train"); err != nil {
			return nil, nil, fmt.Errorf("eval: %d worked examples asked for: %w", shots, err)
		}
		return worked, set.Problems, nil
	case len(set.Problems) <= shots:
		return nil, nil, fmt.Errorf("eval: %d worked examples asked for and %s has %d problems: none would be left to ask", shots, ref, len(set.Problems))
	}
	return set.Problems[:shots], set.Problems[shots:], nil
}
