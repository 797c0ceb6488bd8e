package calibrate

import (
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/eval"
)

// Parts of a prompt that [Highlight] knows.
const (
	Question = "question" // up to its options, or up to the line that asks for the answer
	Choices  = "options"  // the lines of the options
)

// Highlight marks a part of every example's last question, worked examples left out, for PASTA to steer to. The task is copied.
func Highlight(task *eval.Task, part string) (*eval.Task, error) {
	if part != Question && part != Choices {
		return nil, fmt.Errorf("calibrate: no part of a prompt is named %q, expected %q or %q", part, Question, Choices)
	}
	marked := *task
	marked.Examples = make([]eval.Example, len(task.Examples))
	for i, e := range task.Examples {
		question := e.Prompt
		if at := strings.LastIndex(question, "\n\n"); at >= 0 && strings.TrimSpace(question[at:]) != "" { // behind worked examples and headers
			question = question[at+2:]
		}
		if at := strings.LastIndexByte(strings.TrimRight(question, "\n"), '\n'); at > 0 { // before the line that asks for the answer
			question = question[:at]
		}
		options := -1
		if len(e.Options) > 0 {
			options = strings.LastIndex(question, "\nA. "+e.Options[0])
		}
		switch {
		case part == Choices && options < 0:
			return nil, fmt.Errorf("calibrate: the options of example %s do not stand in its prompt: ask for letters, or highlight the %s", e.ID, Question)
		case part == Choices:
			e.Highlight = question[options+1:]
		case options >= 0:
			e.Highlight = strings.TrimSuffix(question[:options], "\nOptions:")
		default:
			e.Highlight = question
		}
		marked.Examples[i] = e
	}
	return &marked, nil
}
