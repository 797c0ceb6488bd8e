package emulate

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// named are interventions that a recipe's parameter can name beside the presets: controls of Released, and neighbours with published constants.
func named() map[string]Spec {
	return map[string]Spec{
		"uniform": Uniform(Released()), "random": Random(Released(), 1), "local": Local(Released()), "suppress": Suppress(0.5), "act": ACT(),
	}
}

// Named returns a preset, a control of Released (uniform, random with seed 1, local), suppress (gain 0.5 on position 0) or act by its name.
func Named(name string) (Spec, error) {
	if s, ok := named()[name]; ok {
		return s, nil
	}
	if s, err := Preset(name); err == nil {
		return s, nil
	}
	return Spec{}, fmt.Errorf("no intervention is named %q, expected one of %s", name, strings.Join(Names(), ", "))
}

// Names lists what Named knows, presets first.
func Names() []string {
	var more []string
	for name := range named() {
		more = append(more, name)
	}
	slices.Sort(more)
	return slices.Concat([]string{"off"}, PresetNames(), more)
}

// Read makes a Plan of what a person may write for one: a name that Named knows, JSON, or the path of a file of JSON, which find turns into one
// that can be opened.
func Read(text string, find func(string) (string, error)) (Plan, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return ParsePlan([]byte(text))
	}
	s, unknown := Named(text)
	if unknown == nil {
		return Plan{s}, nil
	}
	path, err := find(text)
	if err != nil {
		return nil, fmt.Errorf("%w; nor JSON, nor a file: %w", unknown, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w; nor JSON, nor a file: %w", unknown, err)
	}
	p, err := ParsePlan(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return p, nil
}
