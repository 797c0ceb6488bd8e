package sink_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// TestStoriesModelHasNoSink is the negative control: a trained Llama of 260k parameters sinks nowhere, so a tool that finds a sink in it is wrong. Over a
// hundred whole stories, cut only at the model's 512 positions, no head gives position 0 more than 0.05 of the attention of its queries past 32. The
// lengths matter: attention spreads over what there is, and of the same stories cut to 64 tokens one head would give it 0.094, cut to 128 0.072.
func TestStoriesModelHasNoSink(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred stories take ten seconds")
	}
	shared := filepath.Join("..", "..", "..", "shared", "data")
	dir, text := filepath.Join(shared, "models", "stories260k"), filepath.Join(shared, "text", "tinystories_lower.txt")
	data, err := os.ReadFile(text)
	if err != nil {
		t.Skip("needs the folder shared/data beside the repository, which is absent")
	}
	m, err := model.Load(dir, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const pastQuery = 33 // the first query past 32
	var prompts [][]int
	// A single newline parts stories, an empty line the paragraphs of one.
	for story := range strings.SplitSeq(strings.ReplaceAll(string(data), "\n\n", "\x00"), "\n") {
		if ids := m.Tokenizer.Encode(strings.ReplaceAll(story, "\x00", "\n\n")); len(ids) > pastQuery {
			prompts = append(prompts, ids[:min(len(ids), m.Config.MaxPositions)])
		}
		if len(prompts) == 100 {
			break
		}
	}
	s, err := sink.Run(m, prompts, sink.Options{Measures: sink.Rows, Late: pastQuery})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Prompts) < 100 {
		t.Fatalf("%d stories, expected 100 or more", len(s.Prompts))
	}
	first, err := s.LateFirstShare()
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for l, heads := range first.ByHead() {
		for h, v := range heads {
			worst = max(worst, v)
			if v > 0.05 {
				t.Errorf("layer %d, head %d gives position 0 %.4f of its attention", l, h, v)
			}
		}
	}
	t.Logf("%d stories: at most %.4f", len(s.Prompts), worst)
}
