package tokenizer_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// shared returns a path of the development data, which is not part of the repository.
func shared(t testing.TB, elements ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "..", "shared", "data"}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skip("the shared development data is not beside this checkout: ", err)
	}
	return path
}

func load(t testing.TB, path string) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// checkTiling verifies that tokens cover the text without gap or overlap and carry its text.
func checkTiling(t testing.TB, text string, tokens []tokenizer.Token) {
	t.Helper()
	at := 0
	for i, token := range tokens {
		if token.Start != at || token.End < token.Start || token.Text != text[token.Start:token.End] {
			t.Fatalf("%q: token %d is %+v, want it to begin at byte %d", text, i, token, at)
		}
		at = token.End
	}
	if at != len(text) {
		t.Fatalf("%q: tokens end at byte %d of %d", text, at, len(text))
	}
}

func TestGPT2GivesThePublishedIDs(t *testing.T) {
	dir := shared(t, "tokenizers", "gpt2")
	tok := load(t, dir)
	const separator = "\n__ggml_vocab_test__\n"
	texts := strings.Split(read(t, filepath.Join(dir, "ggml-vocab-gpt-2.gguf.inp")), separator)
	lines := strings.Split(read(t, filepath.Join(dir, "ggml-vocab-gpt-2.gguf.out")), "\n")
	// Each file ends with its separator: the last of the 47 strings is empty and has no ids.
	if len(texts) != 47 || len(lines) != 47 {
		t.Fatalf("found %d texts and %d lines of ids, want 47 of both", len(texts), len(lines))
	}
	for i, text := range texts {
		var want []int
		for field := range strings.FieldsSeq(lines[i]) {
			id, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, id)
		}
		got := tok.Encode(text)
		if !slices.Equal(got, want) {
			t.Errorf("text %d %q:\n got %v\nwant %v", i, text, got, want)
		}
		if back := tok.Decode(got); back != text {
			t.Errorf("text %d: decoding gave %q, want %q", i, back, text)
		}
		checkTiling(t, text, tok.Tokens(text, false))
	}
}

// piqaTexts returns every text of PIQA.
func piqaTexts(t testing.TB) []string {
	file, err := os.Open(shared(t, "piqa", "valid.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var texts []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var item struct{ Goal, Sol1, Sol2 string }
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, item.Goal, item.Sol1, item.Sol2, lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestSmolLM2RoundTripsPIQA(t *testing.T) {
	tok := load(t, shared(t, "tokenizers", "smollm2"))
	texts := piqaTexts(t)
	if len(texts) != 4*1838 {
		t.Fatalf("found %d texts, want 4 of each of 1838 items", len(texts))
	}
	for _, text := range texts {
		ids := tok.Encode(text)
		if back := tok.Decode(ids); back != text {
			t.Fatalf("%q came back as %q", text, back)
		}
		tokens := tok.Tokens(text, false)
		checkTiling(t, text, tokens)
		if !slices.EqualFunc(tokens, ids, func(token tokenizer.Token, id int) bool { return token.ID == id }) {
			t.Fatalf("%q: Tokens and Encode differ", text)
		}
	}
}

func TestStories260KContinuation(t *testing.T) {
	dir := shared(t, "models", "stories260k")
	tok := load(t, dir)
	var greedy struct {
		IDs  []int `json:"greedy_ids"`
		Text string
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "greedy_ids.json"))), &greedy); err != nil {
		t.Fatal(err)
	}
	if bos, ok := tok.BOS(); !ok || bos != 1 {
		t.Errorf("BOS %d %v, want 1", bos, ok)
	}
	if eos, ok := tok.EOS(); !ok || eos != 2 {
		t.Errorf("EOS %d %v, want 2", eos, ok)
	}
	if got := tok.Decode(greedy.IDs); got != greedy.Text {
		t.Errorf("decoded %q, want %q", got, greedy.Text)
	}
	want := append([]int{1}, greedy.IDs...)
	if got := tok.Encode(greedy.Text); !slices.Equal(got, want) {
		t.Errorf("encoded\n got %v\nwant %v", got, want)
	}
	checkTiling(t, greedy.Text, tok.Tokens(greedy.Text, false))
	if err := tok.CheckVocab(512); err != nil {
		t.Error(err)
	}
	if err := tok.CheckVocab(511); err == nil || !strings.Contains(err.Error(), "511") {
		t.Errorf("a vocabulary of 511: %v, want a refusal", err)
	}
}
