package worker

import (
	"strings"
	"testing"
)

// TestParityNeedsNoTokenizer: checkpoints made to be compared have none, and nothing of parity is text.
func TestParityNeedsNoTokenizer(t *testing.T) {
	socket, _ := serve(t, Options{})
	const dir = "testdata/reference/stablelm"
	for reference, want := range map[string]string{dir + "/reference.safetensors": "tensors agree with the reference", "self": "All 8 checks hold."} {
		r := request(t, "parity", "", map[string]any{"reference": reference})
		r.Options.Model = dir
		parts, _, last := ask(t, socket, r)
		if last.Error != nil || len(parts) != 1 {
			t.Fatalf("%s: %v, %d parts", reference, last.Error, len(parts))
		}
		if !strings.Contains(parts[0].Finding, want) || !strings.HasPrefix(parts[0].Finding, "All ") {
			t.Errorf("%s: %q, expected %q", reference, parts[0].Finding, want)
		}
	}
	r := request(t, "about", "", nil)
	r.Options.Model = dir
	if _, _, last := ask(t, socket, r); last.Error == nil || !strings.Contains(last.Error.Message, "tokenizer.json") {
		t.Errorf("a question about its text: %v, expected an error that names tokenizer.json", last.Error)
	}
}
