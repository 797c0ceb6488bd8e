package tokenizer_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

var trainingTexts = []string{
	"Question: Which is heavier, 1 kg of iron or 1 kg of wool?\nOptions:\nA. iron\nB. wool\nC. neither\n",
	"Analysis: a kilogram is a kilogram, whatever it is made of.\nResponse: C\n",
	"the the the then there these", "señor señora 🦙🦙", "<s>",
}

func trained(t testing.TB, options tokenizer.TrainOptions) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.TrainBPE(slices.Values(trainingTexts), options)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// savedModel reads back what a tokenizer.json says.
type savedModel struct {
	PreTokenizer struct{ Type string } `json:"pre_tokenizer"`
	AddedTokens  []struct {
		ID      int
		Content string
		Special bool
	} `json:"added_tokens"`
	Model struct {
		Type   string
		Vocab  map[string]int
		Merges []string
	}
}

func saved(t testing.TB, tok *tokenizer.Tokenizer) (m savedModel) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := tok.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(read(t, path)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTrainedMergesAreThoseOfTheDefinition(t *testing.T) {
	// Worked out by hand: "low low low lower lowest newer": (l o) 5, then (lo w) 5 before (Ġ low), whose ids are larger.
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"low low low lower lowest newer"}), tokenizer.TrainOptions{VocabSize: 264})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"l o", "lo w", "Ġ low", "e r"}
	if got := saved(t, tok).Model.Merges; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// And on random words, counting everything anew before each merge.
	r := rand.New(rand.NewPCG(11, 12))
	for range 20 {
		var words []string
		for range 60 {
			word := ""
			for range 1 + r.IntN(6) {
				word += string(rune('a' + r.IntN(3)))
			}
			words = append(words, word)
		}
		tok, err := tokenizer.TrainBPE(slices.Values(words), tokenizer.TrainOptions{VocabSize: 285})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := saved(t, tok).Model.Merges, naiveMerges(words, 285); !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %q\nwant %q", words, got, want)
		}
	}
}

// naiveMerges trains on words of a to c by the definition.
func naiveMerges(words []string, size int) (merges []string) {
	ids := map[string]int{"a": 'a', "b": 'b', "c": 'c'}
	split := make([][]string, len(words))
	for i, word := range words {
		split[i] = strings.Split(word, "")
	}
	for next := 260; next < size; {
		counts := map[[2]string]int{}
		for _, word := range split {
			for i := 1; i < len(word); i++ {
				counts[[2]string{word[i-1], word[i]}]++
			}
		}
		pairs := slices.SortedFunc(maps.Keys(counts), func(a, b [2]string) int {
			if counts[a] != counts[b] {
				return counts[b] - counts[a]
			}
			if a[0] != b[0] {
				return ids[a[0]] - ids[b[0]]
			}
			return ids[a[1]] - ids[b[1]]
		})
		if len(pairs) == 0 || counts[pairs[0]] < 2 {
			break
		}
		best := pairs[0]
		merges = append(merges, best[0]+" "+best[1])
		if _, known := ids[best[0]+best[1]]; !known {
			ids[best[0]+best[1]] = next
			next++
		}
		for k, word := range split {
			var merged []string
			for i := 0; i < len(word); i++ {
				if i+1 < len(word) && word[i] == best[0] && word[i+1] == best[1] {
					merged = append(merged, best[0]+best[1])
					i++
				} else {
					merged = append(merged, word[i])
				}
			}
			split[k] = merged
		}
	}
	return merges
}

func TestTrainedTokenizerRoundTripsAnyBytes(t *testing.T) {
	tok := trained(t, tokenizer.TrainOptions{VocabSize: 400})
	for _, text := range append(trainingTexts[:4], "", " ", "\n\n  x", "日本語", "\x00\x7f", strings.Repeat("long", 1000)) {
		ids := tok.Encode(text)
		if ids[0] != 0 {
			t.Errorf("%.20q begins with id %d, want BOS 0", text, ids[0])
		}
		if got := tok.Decode(ids); got != text {
			t.Errorf("%.20q came back as %.20q", text, got)
		}
		checkTiling(t, text, tok.Tokens(text, false))
	}
	with := tok.Tokens("the", true)
	if with[0].ID != 0 || !with[0].Special || with[0].Text != "<s>" || with[0].Start != 0 || with[0].End != 0 {
		t.Errorf("BOS is %+v", with[0])
	}
	if bos, ok := tok.BOS(); !ok || bos != 0 {
		t.Errorf("BOS %d %v", bos, ok)
	}
	if eos, ok := tok.EOS(); !ok || eos != 1 {
		t.Errorf("EOS %d %v", eos, ok)
	}
	// Digits stand alone, whatever their numbers were in training.
	if tokens := tok.Tokens("1234", false); len(tokens) != 4 {
		t.Errorf("1234 is %v, want four tokens", tokens)
	}
}

func TestTrainingIsDeterministic(t *testing.T) {
	first := trained(t, tokenizer.TrainOptions{})
	reversed := slices.Clone(trainingTexts)
	slices.Reverse(reversed)
	second, err := tokenizer.TrainBPE(slices.Values(reversed), tokenizer.TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if first.Hash() != second.Hash() {
		t.Error("the order of the texts changed the tokenizer")
	}
	if other := trained(t, tokenizer.TrainOptions{VocabSize: 280}); other.Hash() == first.Hash() {
		t.Error("two tokenizers have one hash")
	}
}

func TestSaveThenLoadIsTheSameTokenizer(t *testing.T) {
	tok := trained(t, tokenizer.TrainOptions{VocabSize: 300, Special: []string{"<|user|>"}})
	dir := filepath.Join(t.TempDir(), "model")
	if err := tok.Save(dir); err != nil {
		t.Fatal(err)
	}
	again := load(t, dir)
	if again.Hash() != tok.Hash() || again.VocabSize() != tok.VocabSize() || again.MaxID() != tok.MaxID() {
		t.Error("the loaded tokenizer is another")
	}
	if got, want := again.Encode("the iron <|user|>"), tok.Encode("the iron <|user|>"); !slices.Equal(got, want) || want[len(want)-1] != 4 {
		t.Errorf("got %v, want %v ending in 4", got, want)
	}
	m := saved(t, tok)
	if m.Model.Type != "BPE" || m.PreTokenizer.Type != "Sequence" || len(m.AddedTokens) != 5 || m.Model.Vocab["<pad>"] != 3 || m.Model.Vocab["Ġ"] != 5+' ' {
		t.Errorf("saved %s", fmt.Sprint(m.AddedTokens, m.PreTokenizer))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v, %v", entries, err)
	}
}

func TestTrainOptions(t *testing.T) {
	plain := trained(t, tokenizer.TrainOptions{NoBOS: true, JoinDigits: true})
	if ids := plain.Encode(""); len(ids) != 0 {
		t.Errorf("NoBOS: the empty text has ids %v", ids)
	}
	if m := saved(t, plain); m.PreTokenizer.Type != "ByteLevel" {
		t.Errorf("JoinDigits: pre-tokenizer %s", m.PreTokenizer.Type)
	}
	texts := slices.Values([]string{"abab", "abab"})
	for _, options := range []tokenizer.TrainOptions{{VocabSize: 100}, {MinCount: -1}, {Special: []string{""}}, {Special: []string{"a"}}, {Special: []string{"<s>"}}, {Special: []string{"xx", "xx"}}} {
		if _, err := tokenizer.TrainBPE(texts, options); err == nil {
			t.Errorf("%+v: no error", options)
		}
	}
	if _, err := tokenizer.TrainBPE(slices.Values([]string{""}), tokenizer.TrainOptions{}); err == nil {
		t.Error("no text: no error")
	}
	// A merge that would spell a special token is left out.
	tok, err := tokenizer.TrainBPE(texts, tokenizer.TrainOptions{Special: []string{"ab"}})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(saved(t, tok).Model.Merges, "a b") {
		t.Error("merged the spelling of a special token")
	}
	high, err := tokenizer.TrainBPE(texts, tokenizer.TrainOptions{MinCount: 5})
	if err != nil || len(saved(t, high).Model.Merges) != 0 {
		t.Errorf("MinCount 5 over pairs that occur 4 times: %v", err)
	}
}
