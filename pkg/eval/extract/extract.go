package extract

import (
	"regexp"
	"slices"
	"strings"
)

// Form is how an answer is written.
type Form string

// The forms.
const (
	Letter Form = "letter" // the letter of an option: "(B)", "B.", "B"
	Number Form = "number" // one number: "24", "-1,000", "$3.50", "3/4"
	Label  Form = "label"  // one word of a closed set: yes and no, true and false, valid and invalid
	Text   Form = "text"   // any text, compared as a whole
)

// Question says what an answer looks like. The zero value is free text.
type Question struct {
	Form    Form     // "" means Text
	Letters int      // Letter: options there are; 0 means 26
	Options []string // Letter: their texts, where an answer may also be written out; nil means that only letters count
	Labels  []string // Label: the words, in lower case
}

// YesNo is the question that yes or no answers.
func YesNo() Question { return Question{Form: Label, Labels: []string{"yes", "no"}} }

// pairs of labels that belong together, though a log may hold only one of them.
var pairs = [][]string{{"yes", "no"}, {"true", "false"}, {"valid", "invalid"}}

// Most labels that [Infer] takes for a closed set, and how often each must occur on average.
const (
	mostLabels   = 6
	labelRepeats = 3
)

var letterTarget = regexp.MustCompile(`^(?:\(([A-Z])\)|([A-Z]))$`)

// fewStrays is the share of targets that may be no letters where the others are: published sets have a few such slips, and answers to
// them are wrong.
const fewStrays = 0.05

// Infer says what form answers have from the targets of a whole log: letters if (nearly) all targets are letters, numbers if all are
// numbers, labels if they are words of a known pair, or a few words that repeat; else text.
func Infer(targets []string) Question {
	letters, numbers, words := 0, len(targets) > 0, len(targets) > 0
	var distinct []string
	for _, target := range targets {
		target = tidy(target)
		if letterTarget.MatchString(target) {
			letters++
		}
		if _, ok := value(target); !ok {
			numbers = false
		}
		word := strings.ToLower(target)
		if !slices.Contains(distinct, word) && words {
			distinct = append(distinct, word)
		}
		words = words && wordPattern.FindString(word) == word && word != "" && len(distinct) <= mostLabels
	}
	switch {
	case letters > 0 && float64(letters) >= (1-fewStrays)*float64(len(targets)):
		return Question{Form: Letter}
	case numbers:
		return Question{Form: Number}
	case words:
		for _, pair := range pairs {
			if !slices.ContainsFunc(distinct, func(w string) bool { return !slices.Contains(pair, w) }) {
				return Question{Form: Label, Labels: slices.Clone(pair)}
			}
		}
		if len(targets) >= labelRepeats*len(distinct) {
			slices.Sort(distinct)
			return Question{Form: Label, Labels: distinct}
		}
	}
	return Question{Form: Text}
}

// Read gives the answer of a text in its canonical form: "B", "-1000", "yes", or the text with white space made single. ok is false where
// the text is unparsed: it has no answer of the form, or several.
func (q Question) Read(text string) (answer string, ok bool) {
	final, marked := Final(text)
	if final == "" {
		return "", false
	}
	switch q.Form {
	case Letter:
		return q.letter(final, marked)
	case Number:
		return number(final, marked)
	case Label:
		return q.label(final, marked)
	default:
		if !marked && strings.Contains(final, "\n") {
			return "", false // reasoning that came to no answer
		}
		return tidy(final), tidy(final) != ""
	}
}

// Right reports whether an answer that [Question.Read] gave is the target.
func (q Question) Right(answer, target string) bool {
	target = tidy(target)
	switch q.Form {
	case Letter:
		m := letterTarget.FindStringSubmatch(target)
		return m != nil && answer == m[1]+m[2]
	case Number:
		a, okA := value(answer)
		b, okB := value(target)
		return okA && okB && same(a, b)
	default:
		return strings.EqualFold(answer, target)
	}
}

// marks come before an answer. The last one in a text counts.
var marks = regexp.MustCompile(`(?i)answer(?: is|:)\s*:?|(?:^|\n)\s*\**response\**:\**|####|\\boxed\{`)

// longestDirect is the longest line that may be an answer without a mark before a further question, in bytes.
const longestDirect = 80

// nextQuestion is where a model that was not stopped continues with a question of its own.
var nextQuestion = regexp.MustCompile(`\n\s*(?:Q|Question):`)

// Final is the part of a text that answers: the line behind the last mark ("answer is", "Answer:", "Response:", "####", \boxed{}), or all of
// the text where there is none (marked is false). What a model wrote behind a further "Question:" of its own does not count.
func Final(text string) (final string, marked bool) {
	if at := nextQuestion.FindStringIndex(text); at != nil {
		head := strings.TrimSpace(text[:at[0]])
		short := len(head) <= longestDirect && !strings.Contains(head, "\n")
		if head != "" && (short || marks.MatchString(head) || !marks.MatchString(text)) {
			text = head
		}
	}
	all := marks.FindAllStringIndex(text, -1)
	if len(all) == 0 {
		return strings.TrimSpace(text), false
	}
	mark := all[len(all)-1]
	rest := strings.TrimLeft(text[mark[1]:], " \t\r\n*_:")
	if strings.HasPrefix(text[mark[0]:], `\boxed{`) {
		return inBraces(text[mark[1]:]), true
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line), true
}

// inBraces is what stands before the brace that closes.
func inBraces(text string) string {
	depth := 1
	for i, r := range text {
		switch r {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return strings.TrimSpace(text[:i])
			}
		}
	}
	return "" // cut off
}

// quotes and emphasis around an answer.
const quotes = "\"'`*“”‘’"

// tidy makes white space single and takes quotes, emphasis and one full stop off.
func tidy(text string) string {
	text = strings.Trim(strings.Join(strings.Fields(text), " "), quotes)
	return strings.Trim(strings.TrimSuffix(text, "."), quotes+" ")
}
