package chat

import (
	"fmt"
	"strings"

	"github.com/ardanlabs/jinja"
)

// ownPrefix begins the names this package gives the engine; a template may not use it.
const ownPrefix = "attune_"

// ownFilters are done by this package: their names in a template are not those the engine is given.
var ownFilters = words("tojson string join upper lower trim")

// rewrite writes the program the engine is given. It holds tags only: each text is a variable, so that nothing is left for the engine's own whitespace
// control, and each printed expression goes through a function of this package.
func rewrite(parts []part) (string, map[string]jinja.Value) {
	w := rewriter{texts: map[string]jinja.Value{}}
	for _, p := range parts {
		switch {
		case p.tag == 0:
			w.out.WriteString("{{ " + w.name(p.text) + " }}")
		case p.tag == '{':
			w.out.WriteString("{{ " + ownPrefix + "print(")
			w.expression(p.tokens)
			w.out.WriteString(") }}")
		case isGeneration(p):
			// It marks the assistant's words for training; what it holds is printed like the rest.
		default:
			if at(p.tokens, 0) == "endmacro" {
				w.out.WriteString("{{ " + ownPrefix + "leave() }}")
			}
			w.out.WriteString("{% ")
			w.expression(p.tokens)
			w.out.WriteString(" %}")
			if at(p.tokens, 0) == "macro" {
				w.out.WriteString("{{ " + ownPrefix + "enter() }}")
			}
		}
	}
	return w.out.String(), w.texts
}

func isGeneration(p part) bool {
	return len(p.tokens) == 1 && (p.tokens[0].text == "generation" || p.tokens[0].text == "endgeneration")
}

type rewriter struct {
	out   strings.Builder
	texts map[string]jinja.Value
}

// name gives a text a variable.
func (w *rewriter) name(text string) string {
	name := fmt.Sprintf("%stext%d", ownPrefix, len(w.texts))
	w.texts[name] = jinja.NewString(text)
	return name
}

func (w *rewriter) expression(tokens []token) {
	tokens = concatenated(tokens)
	skip := -1
	for i, t := range tokens {
		if i <= skip {
			continue
		}
		text := t.text
		switch {
		case t.kind == stringToken:
			text = w.literal(t.text)
		case t.kind == nameToken && at(tokens, i-1) == "|" && ownFilters[t.text]:
			text = ownPrefix + t.text
		}
		if i > 0 && spaced(tokens[i-1], t) {
			w.out.WriteByte(' ')
		}
		w.out.WriteString(text)
		// Without an argument these take away Python's whitespace, of which the engine knows a part.
		if stripping[t.text] && at(tokens, i-1) == "." && at(tokens, i+1) == "(" && at(tokens, i+2) == ")" {
			w.out.WriteString("(" + w.name(pythonSpace) + ")")
			skip = i + 2
		}
	}
}

var stripping = words("strip lstrip rstrip")

// concatenated sends the operands of ~ through the string filter: ~ joins the printed forms of its operands, and the engine prints none and
// fractions in its own way.
func concatenated(tokens []token) []token {
	filter := []token{{kind: operatorToken, text: "|"}, {kind: nameToken, text: "string"}}
	var out []token
	right := false // whether the tokens since the last ~ are its right operand
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if t.kind == operatorToken && t.text == "~" {
			out = append(append(out, filter...), t)
			right = true
			continue
		}
		if right && endsOperand(t) {
			out = append(out, filter...)
			right = false
		}
		out = append(out, t)
		if end := closing(tokens, i); end > i {
			out = append(append(out, concatenated(tokens[i+1:end])...), tokens[end])
			i = end
		}
	}
	if right {
		out = append(out, filter...)
	}
	return out
}

// endsOperand says whether a token at the depth of a ~ ends its right operand. A remainder (%), which would bind closer, does not stand
// beside a ~: check refuses that.
func endsOperand(t token) bool {
	switch t.kind {
	case operatorToken:
		return !strings.Contains(".|([{", t.text)
	case nameToken:
		return keywords[t.text]
	}
	return false
}

// closing is the index of the bracket that closes the one at i; i itself if there is none there.
func closing(tokens []token, i int) int {
	depth := 0
	for j := i; j < len(tokens); j++ {
		if tokens[j].kind == operatorToken {
			switch tokens[j].text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			}
		}
		if depth == 0 {
			return j
		}
	}
	return i
}

// spaced says whether two tokens need a space between them. Around dots and before brackets there is none, as everybody writes it.
func spaced(a, b token) bool {
	tight := func(t token, set string) bool {
		return t.kind == operatorToken && strings.Contains(set, t.text)
	}
	return !tight(a, ".([") && !tight(b, ".)],:") && !(tight(b, "([") && a.kind != operatorToken && !keywords[a.text])
}

// literal writes a string in the escapes the engine knows; one with a tag's delimiter in it, which the engine might take for one, is a variable.
func (w *rewriter) literal(s string) string {
	if strings.ContainsAny(s, "{}%#") {
		return w.name(s)
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\t", `\t`).Replace(s) + "'"
}
