package eval

import (
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/chat"
)

func TestShotsOfOtherSetsAreItsFirstItems(t *testing.T) {
	plain := mustLoad(t, "generated:easy", 0, TaskOptions{})
	two := mustLoad(t, "generated:easy", 0, TaskOptions{Shots: 2})
	if len(two.Examples) != len(plain.Examples)-2 || two.Examples[0].ID != plain.Examples[2].ID || two.TemplateHash == plain.TemplateHash {
		t.Fatalf("%d examples with two worked ones, %d without", len(two.Examples), len(plain.Examples))
	}
	shot := func(e Example) string { return e.Prompt + e.Choices[e.Answer] + "\n\n" }
	for i, e := range two.Examples[:20] {
		if want := shot(plain.Examples[0]) + shot(plain.Examples[1]) + plain.Examples[i+2].Prompt; e.Prompt != want {
			t.Fatalf("example %s is asked %q, expected %q", e.ID, e.Prompt, want)
		}
	}
	for _, shots := range []int{-1, len(plain.Examples)} {
		if _, err := LoadTask("generated:easy", 0, TaskOptions{Shots: shots}); err == nil || !strings.Contains(err.Error(), "worked examples") {
			t.Errorf("%d shots: %v", shots, err)
		}
	}
}

// TestChatPromptsEndWhereTheAnswerBegins: the text is the template's, choices begin the answer, and the special tokens are the text's own.
func TestChatPromptsEndWhereTheAnswerBegins(t *testing.T) {
	template, err := chat.New("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := mustLoad(t, "generated:easy", 5, TaskOptions{})
	asked := mustLoad(t, "generated:easy", 5, TaskOptions{Chat: template})
	for i, e := range asked.Examples {
		if e.Prompt != "<|user|>"+plain.Examples[i].Prompt+"<|end|><|assistant|>" || e.Choices[1] != "B" || !e.Plain || e.Text != e.Prompt+e.Choices[e.Answer] {
			t.Errorf("%+v", e)
		}
	}
	bare := mustLoad(t, "generated:easy", 5, TaskOptions{NoBOS: true})
	if e := bare.Examples[0]; !e.Plain || e.Prompt != plain.Examples[0].Prompt || e.Choices[1] != " B" {
		t.Errorf("without BOS: %+v", e)
	}
	hashes := map[string]bool{plain.TemplateHash: true, asked.TemplateHash: true, bare.TemplateHash: true}
	if len(hashes) != 3 || asked.ScoreName(Acc) == plain.ScoreName(Acc) {
		t.Error("other prompts have the name of the plain ones")
	}
	if _, err := LoadTask("generated:easy", 5, TaskOptions{Chat: template, NoBOS: true}); err == nil {
		t.Error("a chat template without BOS is accepted")
	}
	refusing, err := chat.New("{{ raise_exception('no user') }}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadTask("generated:easy", 5, TaskOptions{Chat: refusing}); err == nil || !strings.Contains(err.Error(), plain.Examples[0].ID) || !strings.Contains(err.Error(), "no user") {
		t.Errorf("a template that refuses: %v", err)
	}
}
