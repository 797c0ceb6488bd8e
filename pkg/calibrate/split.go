package calibrate

import (
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/clean"
	"github.com/attune-lab/attune/pkg/eval"
)

// Split deals a task's examples into a part to choose on, of about so many percent, and a part to test on, by their content: equal questions, in whatever order
// their options stand, and examples that share a cluster (a passage, a goal) fall into one part. Another seed splits otherwise.
func Split(task *eval.Task, percent int, seed uint64) (choosing, testing *eval.Task, err error) {
	if percent < 1 || percent > 99 {
		return nil, nil, fmt.Errorf("calibrate: %d %% of the examples to choose on, expected 1 to 99", percent)
	}
	const choose, test = "choose", "test"
	splitter, err := clean.NewSplitter(fmt.Sprintf("calibrate %d", seed), clean.Share{Name: choose, Parts: percent}, clean.Share{Name: test, Parts: 100 - percent})
	if err != nil {
		return nil, nil, fmt.Errorf("calibrate: %w", err)
	}
	a, b := *task, *task
	a.Examples, b.Examples = nil, nil
	for _, e := range task.Examples {
		if splitter.Of(content(e)) == choose {
			a.Examples = append(a.Examples, e)
		} else {
			b.Examples = append(b.Examples, e)
		}
	}
	if len(a.Examples) == 0 || len(b.Examples) == 0 {
		return nil, nil, fmt.Errorf("calibrate: %d examples fall into parts of %d to choose on and %d to test on, expected some in both: use more examples", len(task.Examples), len(a.Examples), len(b.Examples))
	}
	return &a, &b, nil
}

// content is what decides an example's part: its cluster, or its question and its options whatever their order.
func content(e eval.Example) []byte {
	if e.Cluster != "" {
		return append([]byte("cluster "), e.Cluster...)
	}
	options := e.Options
	if len(options) == 0 {
		options = e.Choices
	}
	question := e.Prompt
	for _, option := range options { // where they stand in the prompt, their order is no part of the question
		question = strings.ReplaceAll(question, option, "")
	}
	print := corpus.Item{Question: question, Options: options}.Fingerprint()
	return print[:]
}
