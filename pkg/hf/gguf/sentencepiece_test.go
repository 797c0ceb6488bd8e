package gguf

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// TestSentencePieceOfTheMetadataIsTheModels makes the metadata of a small real SentencePiece vocabulary, as llama.cpp writes it, and encodes generated lines with the
// tokenizer made of it and with the published tokenizer.json.
func TestSentencePieceOfTheMetadataIsTheModels(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "models", "stories260k")
	source, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Skip("needs the folder shared/data/models beside the repository, which is absent")
	}
	var file struct {
		Model struct {
			Vocab map[string]int
		}
	}
	if err := json.Unmarshal(source, &file); err != nil {
		t.Fatal(err)
	}
	tokens := make([]string, len(file.Model.Vocab))
	for token, id := range file.Model.Vocab {
		tokens[id] = token
	}
	const key = "tokenizer.ggml."
	w := header(0, 5).text(key + "model").u32(uint32(typeString)).text("llama")
	w.text(key + "tokens").u32(uint32(typeArray)).u32(uint32(typeString)).u64(uint64(len(tokens)))
	for _, token := range tokens {
		w.text(token)
	}
	w.text(key + "scores").u32(uint32(typeArray)).u32(uint32(typeFloat32)).u64(uint64(len(tokens)))
	for id := range tokens {
		w.u32(math.Float32bits(float32(-id))) // tokens are numbered in the order of their merges
	}
	w.text(key + "token_type").u32(uint32(typeArray)).u32(uint32(typeInt32)).u64(uint64(len(tokens)))
	for id, token := range tokens {
		switch {
		case id == 0:
			w.u32(tokenUnknown)
		case id < 3:
			w.u32(tokenControl)
		case strings.HasPrefix(token, "<0x"):
			w.u32(6)
		default:
			w.u32(1)
		}
	}
	w.text(key + "bos_token_id").u32(uint32(typeUint32)).u32(1)
	f, err := parse(w.b)
	if err != nil {
		t.Fatal(err)
	}
	made, settings, err := f.tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	got, err := tokenizer.Parse(made, settings)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{"Once", "upon", "a", "time", "there", "was", "little", "girl", "named", "Lily", ".", ",", "!", "\n", "  ", "don't", "é", "日本", "🙂", "x1", "the", "happily"}
	for range 10000 {
		var line []string
		for range rng.IntN(12) {
			line = append(line, words[rng.IntN(len(words))])
		}
		text := strings.Join(line, " ")
		if a, b := got.Encode(text), want.Encode(text); !slices.Equal(a, b) {
			t.Fatalf("%q: ids %v, expected %v", text, a, b)
		}
		if a, b := got.Decode(got.EncodePlain(text)), want.Decode(want.EncodePlain(text)); a != b {
			t.Fatalf("%q: decoded %q, expected %q", text, a, b)
		}
	}
}
