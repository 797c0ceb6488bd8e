package values

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/worker/client"
)

// Check finds the first parameter whose value cannot be, in the order of their names; the error is a *[client.Error] that names the parameter, its value and what is
// allowed. Values are string, int64, float64 or bool, as [notebook.Notebook.Inject] returns them; dirs are the folders that relative paths are looked for in.
func Check(recipe string, values map[string]any, dirs []string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := value{name: name, of: values[name], all: values, dirs: dirs}
		if text, is := v.of.(string); is {
			if err := plainText(name, text); err != nil {
				return err
			}
		}
		if r := ruleOf(recipe, name, v.of); r != nil {
			if err := r(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// Known reports whether a parameter of a recipe is checked for more than being text or a number.
func Known(recipe, name string, value any) bool {
	_, isBool := value.(bool)
	return isBool || ruleOf(recipe, name, value) != nil
}

// ruleOf is the rule of a recipe's parameter, else that of the name; nil where the value is of another kind than the rule's.
func ruleOf(recipe, name string, value any) rule {
	r, found := rules[recipe+"."+name]
	if !found {
		r = rules[name]
	}
	if r.of == nil || r.kind != kindOf(value) {
		return nil
	}
	return r.of
}

// value is what a rule judges.
type value struct {
	name string
	of   any
	all  map[string]any // the values of all parameters
	dirs []string
}

func (v value) text() string { text, _ := v.of.(string); return text }

// wrong is the error of a value.
func (v value) wrong(format string, args ...any) error {
	shown := fmt.Sprint(v.of)
	if len(shown) > 80 {
		shown = strings.ToValidUTF8(shown[:80], "") + "..."
	}
	return client.Parameter(v.name, shown, format, args...)
}

// rule returns an error for a value that cannot be.
type rule func(value) error

// kinds of values.
type kind int

const (
	texts kind = iota + 1
	wholes
	reals
)

func kindOf(value any) kind {
	switch value.(type) {
	case string:
		return texts
	case int64:
		return wholes
	case float64:
		return reals
	}
	return 0
}

// ruled is a rule for values of one kind.
type ruled struct {
	kind kind
	of   rule
}

// mostText is more than any list, prompt or description has.
const mostText = 1 << 20

// plainText refuses what no parameter holds: it would break the notebook's cell, a terminal or a file name.
func plainText(name, text string) error {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	shown := strings.Map(func(r rune) rune {
		if control(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text[:min(len(text), 60)])
	switch {
	case len(text) > mostText:
		return client.Parameter(name, shown+"...", "it has %d bytes, expected at most %d", len(text), mostText)
	case !utf8.ValidString(text):
		return client.Parameter(name, shown, "it is not valid UTF-8, expected text")
	case strings.ContainsFunc(text, control):
		return client.Parameter(name, shown, "it holds control characters, expected plain text")
	}
	return nil
}

// whole is a number from least to most.
func whole(least, most int64, what string) ruled {
	return ruled{wholes, func(v value) error {
		n := v.of.(int64)
		if n >= least && n <= most {
			return nil
		}
		if most == math.MaxInt64 {
			return v.wrong("expected %s, %d or more", what, least)
		}
		return v.wrong("expected %s, %d to %d", what, least, most)
	}}
}

// atLeast is a whole number without an upper limit.
func atLeast(least int64, what string) ruled { return whole(least, math.MaxInt64, what) }

// real is a number from least to most.
func real(least, most float64, what string) ruled {
	return ruled{reals, func(v value) error {
		if x := v.of.(float64); x >= least && x <= most {
			return nil
		}
		if math.IsInf(most, 1) {
			return v.wrong("expected %s, %v or more", what, least)
		}
		return v.wrong("expected %s, %v to %v", what, least, most)
	}}
}

// positive is a number above 0.
func positive(what string) ruled {
	return ruled{reals, func(v value) error {
		if v.of.(float64) > 0 {
			return nil
		}
		return v.wrong("expected %s, above 0", what)
	}}
}

// oneOf is a word of a list; "" is one where the list has it.
func oneOf(list ...string) ruled {
	return ruled{texts, func(v value) error {
		if slices.Contains(list, v.text()) {
			return nil
		}
		return v.wrong("expected %s%s", alternatives(list), client.Suggest(v.text(), list))
	}}
}

// someOf are words of a list, separated by spaces; none where that is allowed.
func someOf(least int, list ...string) ruled {
	return ruled{texts, func(v value) error {
		words := client.Fields(v.text())
		if len(words) < least {
			return v.wrong("expected at least %d of %s, separated by spaces", least, alternatives(list))
		}
		for _, word := range words {
			if !slices.Contains(list, word) {
				return v.wrong("%q is not one of %s%s", word, alternatives(list), client.Suggest(word, list))
			}
		}
		return nil
	}}
}

func alternatives(list []string) string {
	quoted := slices.Clone(list)
	for i, word := range quoted {
		if word == "" {
			quoted[i] = `""`
		}
	}
	return strings.Join(quoted, ", ")
}

// numbers are a list of numbers from low to high.
func numbers(low, high float64, what string) ruled {
	return ruled{texts, func(v value) error {
		list, err := client.Numbers(v.name, v.text())
		if err != nil {
			return v.wrong("expected %s from %v to %v, separated by spaces", what, low, high)
		}
		for _, x := range list {
			if !(x >= low && x <= high) {
				return v.wrong("%v is out of range: expected %s from %v to %v, separated by spaces", x, what, low, high)
			}
		}
		return nil
	}}
}

// integers are a list of whole numbers of at least a least one.
func integers(least int, what string) ruled {
	return ruled{texts, func(v value) error {
		list, err := client.Integers(v.name, v.text())
		if err != nil || len(list) > 0 && slices.Min(list) < least {
			return v.wrong("expected %s: whole numbers of %d or more, separated by spaces", what, least)
		}
		return nil
	}}
}

// optional allows "" beside what a rule allows.
func optional(r ruled) ruled {
	return ruled{r.kind, func(v value) error {
		if v.text() == "" {
			return nil
		}
		return r.of(v)
	}}
}

// each judges every name of a list, cut at spaces outside brackets.
func each(r ruled) ruled {
	return ruled{texts, func(v value) error {
		for _, name := range client.Names(v.text()) {
			one := v
			one.of = name
			if err := r.of(one); err != nil {
				return err
			}
		}
		return nil
	}}
}

// path finds what a value names.
func (v value) path() (path string, isDir bool, err error) {
	if strings.TrimSpace(v.text()) == "" {
		return "", false, v.wrong("expected a path")
	}
	path, err = client.FindPath(v.text(), v.dirs)
	if err != nil {
		return "", false, v.wrong("%v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", false, v.wrong("%v", err)
	}
	return path, info.IsDir(), nil
}

// either is a word that stands for something else than the rule's values, or one of those.
func either(word string, r ruled) ruled {
	return ruled{r.kind, func(v value) error {
		if v.text() == word {
			return nil
		}
		return r.of(v)
	}}
}

// file is an existing file with one of these endings; any where none are given.
func file(endings ...string) ruled {
	return ruled{texts, func(v value) error {
		path, isDir, err := v.path()
		switch {
		case err != nil:
			return v.wrong("%s; expected a file %s", reason(err), strings.Join(endings, " "))
		case isDir:
			return v.wrong("it is a directory, expected a file %s", strings.Join(endings, " "))
		case len(endings) > 0 && !slices.Contains(endings, strings.ToLower(filepath.Ext(path))):
			return v.wrong("expected a file %s", strings.Join(endings, " "))
		}
		return nil
	}}
}
