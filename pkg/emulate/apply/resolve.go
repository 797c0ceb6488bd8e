package apply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// ResolveSpec replaces token classes by the ids of a vocabulary's tokens of those classes, so that the Spec says for itself which keys it means.
// The classes are those of [tokenizer.Tokenizer.VocabularyClasses]: a mask of ids cannot know a token's neighbours.
func ResolveSpec(s emulate.Spec, tok *tokenizer.Tokenizer) (emulate.Spec, error) {
	if len(s.Classes)+len(s.ExcludeClasses) == 0 {
		return s, nil
	}
	if tok == nil {
		return s, fmt.Errorf("token classes need the model's tokenizer, and it has none: name token ids instead")
	}
	var err error
	if s.Tokens, err = addClasses(s.Tokens, s.Classes, tok); err != nil {
		return s, fmt.Errorf("classes: %w", err)
	}
	if s.ExcludeTokens, err = addClasses(s.ExcludeTokens, s.ExcludeClasses, tok); err != nil {
		return s, fmt.Errorf("exclude_classes: %w", err)
	}
	s.Classes, s.ExcludeClasses = nil, nil
	return s, s.Validate()
}

// Resolve is ResolveSpec of every step.
func Resolve(p emulate.Plan, tok *tokenizer.Tokenizer) (emulate.Plan, error) {
	out := slices.Clone(p)
	for i, s := range p {
		var err error
		if out[i], err = ResolveSpec(s, tok); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return out, nil
}

// addClasses adds the ids of the named classes to a list of ids, in order, each once.
func addClasses(ids []int, classes []string, tok *tokenizer.Tokenizer) ([]int, error) {
	if len(classes) == 0 {
		return ids, nil
	}
	wanted := map[tokenizer.Class]bool{}
	for _, name := range classes {
		i := slices.IndexFunc(tokenizer.Classes(), func(c tokenizer.Class) bool { return c.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("no token class is named %q, expected one of %s", name, classNames())
		}
		wanted[tokenizer.Classes()[i]] = true
	}
	out := slices.Clone(ids)
	for id, class := range tok.VocabularyClasses() {
		if wanted[class] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func classNames() string {
	var names []string
	for _, c := range tokenizer.Classes() {
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
}
