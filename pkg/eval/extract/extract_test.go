package extract_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/eval/extract"
)

func ExampleQuestion_Read() {
	q := extract.Question{Form: extract.Letter, Options: []string{"aunt", "sister", "grandmother", "mother"}}
	for _, text := range []string{
		"Ada is the mother of Cora's father. So the answer is (C).",
		"Analysis: A is wrong.\nResponse: C. grandmother",
		"The answer is grandmother.",
		"The answer is (A) or (C).",
	} {
		answer, ok := q.Read(text)
		fmt.Printf("%q %v\n", answer, ok)
	}
	// Output:
	// "C" true
	// "C" true
	// "C" true
	// "" false
}

// unparsed marks a text that has no answer of its form.
const unparsed = "UNPARSED"

func TestRead(t *testing.T) {
	letter := extract.Question{Form: extract.Letter}
	four := extract.Question{Form: extract.Letter, Options: []string{"a dog", "a cat", "two cats", "a cat"}}
	number := extract.Question{Form: extract.Number}
	yesNo := extract.YesNo()
	valid := extract.Question{Form: extract.Label, Labels: []string{"valid", "invalid"}}
	free := extract.Question{}
	tests := []struct {
		q          extract.Question
		text, want string
	}{
		// letters
		{letter, "(B)", "B"},
		{letter, " B ", "B"},
		{letter, "B.", "B"},
		{letter, "**B**", "B"},
		{letter, "b", "B"},
		{letter, "B. because it is", "B"},
		{letter, "B) because it is", "B"},
		{letter, "B because it is", "B"},
		{letter, "A dog runs", unparsed},
		{letter, "I think so", unparsed},
		{letter, "(A) or (B)", unparsed},
		{letter, "If we look at (A), it is a joke", unparsed},
		{letter, "So the answer is (D).", "D"},
		{letter, "So the answer is (d).", "D"},
		{letter, "So the answer is D", "D"},
		{letter, "So the answer is **(D)**.", "D"},
		{letter, "The answer is: D. 12/14/1937", "D"},
		{letter, "So the answer is (A) or (B).", unparsed},
		{letter, "So the answer is (A), that is (A).", "A"},
		{letter, "So the answer is not (A).", unparsed},
		{letter, "The answer is (A). It is not (B).", "A"},
		{letter, "First, the answer is (A). Wait, no: the answer is (C).", "C"},
		{letter, "So the answer is 12/14/1937.", unparsed},
		{letter, "Analysis: A. is wrong, B. is right.\n\nResponse: B", "B"},
		{letter, "Analysis: short\nResponse:\n  C. third", "C"},
		{letter, "**Response:** C", "C"},
		{letter, "In response: (C)", unparsed},
		{letter, "Answer: (C)", "C"},
		{letter, `so \boxed{C} it is`, "C"},
		{letter, "So the answer is (D).\n\nQ: Another?\nA: So the answer is (B).", "D"},
		{letter, "(D)\n\nQ: Another?\nA: So the answer is (B).", "D"},
		{letter, "(D)\n\nQ: Another?\nA: (B)", "D"},
		{letter, "A long line that thinks about the matter and comes to no answer at all before it says again\nQuestion: which?\nSo the answer is (B).", "B"},
		{letter, "", unparsed},
		{letter, "  \n ", unparsed},
		{letter, "So the answer is", unparsed},
		{extract.Question{Form: extract.Letter, Letters: 3}, "So the answer is (D).", unparsed},
		{four, "The answer is two cats.", "C"},
		{four, "The answer is A. a dog", "A"},
		{four, "The answer is a cat", unparsed}, // two options say so
		{four, "(E)", unparsed},
		// numbers
		{number, "24", "24"},
		{number, "-50.", "-50"},
		{number, "So the answer is 24.", "24"},
		{number, "So the answer is -1,234.50.", "-1234.5"},
		{number, "So the answer is - 5.", "-5"},
		{number, "So the answer is −5.", "-5"},
		{number, "Then A - B = 24. So the answer is $18.", "18"},
		{number, "The answer is 18 dollars", "18"},
		{number, "The answer is 75%.", "75"},
		{number, "The answer is 3/4.", "0.75"},
		{number, "The answer is .5", "0.5"},
		{number, "The answer is 1e3", "1000"},
		{number, "x2 is 7", "7"},
		{number, "5 + 3 = 8.\n#### 8", "8"},
		{number, `thus \boxed{42}`, "42"},
		{number, `thus \boxed{\frac{1}{2}}`, unparsed},
		{number, `thus \boxed{42`, unparsed},
		{number, "The answer is 3 or 4.", unparsed},
		{number, "The answer is 5-6.", unparsed},
		{number, "The answer is 7, that is 7.0.", "7"},
		{number, "The answer is not 7.", unparsed},
		{number, "The answer is 1/0.", unparsed},
		{number, "The answer is seven.", unparsed},
		{number, "There are 7 eggs", "7"},
		{number, "There are 7 eggs.\nNo, 7 hens", unparsed},
		// labels
		{yesNo, "Yes", "yes"},
		{yesNo, "no.", "no"},
		{yesNo, "Yes, we are back.", "yes"},
		{yesNo, "No, there is no way that yes is right", "no"},
		{yesNo, "So the answer is No.", "no"},
		{yesNo, "So the answer is clearly yes.", "yes"},
		{yesNo, "So the answer is yes or no.", unparsed},
		{yesNo, "So the answer is not yes.", unparsed},
		{yesNo, "So the answer isn't yes.", unparsed},
		{yesNo, "So the answer is Maybe.", unparsed},
		{yesNo, "So the answer is 7.", unparsed},
		{yesNo, "Let's see.\nyes it might", unparsed},
		{yesNo, "So the answer is \"Yes\".", "yes"},
		{valid, "The argument is deductively invalid. So the answer is invalid.", "invalid"},
		{valid, "So the answer is deductively valid.", "valid"},
		{valid, "not valid", unparsed},
		// free text
		{free, "] ) }", "] ) }"},
		{free, "So the answer is ] )  }.", "] ) }"},
		{free, "So the answer is “apple  pear”.", "apple pear"},
		{free, "We sort: \"a\" < \"b\".\nNext b.", unparsed},
		{free, "So the answer is .", unparsed},
	}
	for _, test := range tests {
		answer, ok := test.q.Read(test.text)
		if !ok {
			if answer != "" {
				t.Errorf("%q as %s is unparsed and %q", test.text, test.q.Form, answer)
			}
			answer = unparsed
		}
		if answer != test.want {
			t.Errorf("%q as %s: %q, expected %q", test.text, test.q.Form, answer, test.want)
		}
	}
}

func TestRightComparesByForm(t *testing.T) {
	for _, test := range []struct {
		q              extract.Question
		answer, target string
		want           bool
	}{
		{extract.Question{Form: extract.Letter}, "B", "(B)", true},
		{extract.Question{Form: extract.Letter}, "B", "B", true},
		{extract.Question{Form: extract.Letter}, "B", "(A)", false},
		{extract.Question{Form: extract.Letter}, "B", "text", false},
		{extract.Question{Form: extract.Number}, "1000", "1,000", true},
		{extract.Question{Form: extract.Number}, "0.3333333333", "1/3", true},
		{extract.Question{Form: extract.Number}, "24", "-24", false},
		{extract.YesNo(), "yes", "Yes", true},
		{extract.YesNo(), "yes", "No", false},
		{extract.Question{}, "apple pear", " apple  pear. ", true},
		{extract.Question{}, "apple", "pear", false},
	} {
		if got := test.q.Right(test.answer, test.target); got != test.want {
			t.Errorf("%s: %q against %q is %v", test.q.Form, test.answer, test.target, got)
		}
	}
}

func repeat(words ...string) (out []string) {
	for range 5 {
		out = append(out, words...)
	}
	return out
}

func TestInferTellsFormsFromTargets(t *testing.T) {
	for _, test := range []struct {
		targets []string
		form    extract.Form
		labels  string
	}{
		{[]string{"(A)", "(C)", "(R)"}, extract.Letter, ""},
		{[]string{"A", "D"}, extract.Letter, ""},
		{append(repeat("(A)", "(B)", "(C)", "(D)"), "text by mistake"), extract.Letter, ""},
		{[]string{"24", "-50", "1,000"}, extract.Number, ""},
		{[]string{"Yes", "Yes"}, extract.Label, "yes no"},
		{[]string{"no", "yes"}, extract.Label, "yes no"},
		{[]string{"True", "False"}, extract.Label, "true false"},
		{[]string{"valid", "valid"}, extract.Label, "valid invalid"},
		{repeat("red", "green", "blue"), extract.Label, "blue green red"},
		{[]string{"Paris", "Rome"}, extract.Text, ""}, // too few to be a closed set
		{[]string{"] )", "}"}, extract.Text, ""},
		{[]string{"apple pear", "fig"}, extract.Text, ""},
		{[]string{"(A)", "24"}, extract.Text, ""},
		{repeat("a1", "b2"), extract.Text, ""},
		{nil, extract.Text, ""},
	} {
		q := extract.Infer(test.targets)
		if q.Form != test.form || strings.Join(q.Labels, " ") != test.labels {
			t.Errorf("%q: %s %q, expected %s %q", test.targets, q.Form, q.Labels, test.form, test.labels)
		}
	}
}

// outputs are what a real model wrote on BIG-Bench-Hard, with the accuracy that its authors published.
const outputs = "../../../../shared/data/bbh-outputs"

// TestPublishedAccuracies: every task of every arm within half a point, nothing but wrong answers unparsed.
func TestPublishedAccuracies(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(outputs, "*", "*.json"))
	if len(files) == 0 {
		t.Skip("the published outputs are not beside this checkout")
	}
	for _, path := range files {
		var log struct {
			Outputs []struct{ Prediction, Target string }
		}
		text, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(text, &log) != nil || len(log.Outputs) == 0 {
			t.Fatalf("%s: %v", path, err)
		}
		var published struct{ Accuracy float64 }
		text, err = os.ReadFile(strings.TrimSuffix(path, ".json") + ".metrics.jsonl")
		if err != nil || json.Unmarshal(text, &published) != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var targets []string
		for _, o := range log.Outputs {
			targets = append(targets, o.Target)
		}
		q := extract.Infer(targets)
		right, unread := 0, 0
		for _, o := range log.Outputs {
			answer, ok := q.Read(o.Prediction)
			switch {
			case !ok:
				unread++
			case q.Right(answer, o.Target):
				right++
			}
		}
		accuracy := 100 * float64(right) / float64(len(log.Outputs))
		t.Logf("%s: %s, %.2f %%, published %.2f %%, unparsed %d of %d", path[len(outputs)+1:], q.Form, accuracy, published.Accuracy, unread, len(log.Outputs))
		if math.Abs(accuracy-published.Accuracy) > 0.5 {
			t.Errorf("%s: %.2f %%, published %.2f %%", path[len(outputs)+1:], accuracy, published.Accuracy)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{"So the answer is (B).", "#### 5", `\boxed{1}{`, "Response:\nQ: x", "-,.5e9/0", "(", "\xff answer is \xff"} {
		f.Add(text)
	}
	questions := []extract.Question{{Form: extract.Letter, Options: []string{"x", ""}}, {Form: extract.Number}, extract.YesNo(), {}}
	f.Fuzz(func(t *testing.T, text string) {
		for _, q := range questions {
			if answer, ok := q.Read(text); ok && answer == "" {
				t.Errorf("%q as %s: an empty answer", text, q.Form)
			}
		}
	})
}
