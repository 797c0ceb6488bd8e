package gguf_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/gguf"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// realModel is a directory with a model that people use, its tokenizer.json and its config.json.
func realModel(t testing.TB) (dir string, c *gguf.Checkpoint) {
	t.Helper()
	dir = filepath.Join("..", "..", "..", "..", "shared", "data", "models", "smollm2-135m-instruct")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs the folder shared/data/models beside the repository, which is absent")
	}
	c, err := gguf.OpenCheckpoint(filepath.Join(dir, "model.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return dir, c
}

// TestRealModelIsTheConvertedOne: the safetensors file that the model's convert.py writes in float32 has this hash (data/README.md), and so has ours.
func TestRealModelIsTheConvertedOne(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes 540 MB")
	}
	_, c := realModel(t)
	var all []safetensors.Tensor
	for _, name := range c.Names() {
		x, err := c.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
		c.Forget(name)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := safetensors.Write(path, all, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	const want = "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd"
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		t.Errorf("the file's hash is %s, expected %s", got, want)
	}
}

func TestConfigOfTheMetadataIsTheModels(t *testing.T) {
	dir, c := realModel(t)
	data, err := c.Config()
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	published, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(published, &want); err != nil {
		t.Fatal(err)
	}
	got["eos_token_id"] = got["eos_token_id"].([]any)[0]
	for _, field := range []string{"model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
		"max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings", "attention_bias", "bos_token_id", "eos_token_id"} {
		if got[field] != want[field] {
			t.Errorf("%s is %v, expected %v", field, got[field], want[field])
		}
	}
	if got := c.Describe(); got != "272 tensors: 61 F32, 210 Q4_1, 1 Q8_0; dequantised to float32" {
		t.Error(got)
	}
}

// TestTokenizerOfTheMetadataIsTheModels encodes 10,000 generated lines with the tokenizer made of the metadata and with the published tokenizer.json.
func TestTokenizerOfTheMetadataIsTheModels(t *testing.T) {
	dir, c := realModel(t)
	source, settings, err := c.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	made, err := tokenizer.Parse(source, settings)
	if err != nil {
		t.Fatal(err)
	}
	published, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines(10000) {
		if got, want := made.Encode(line), published.Encode(line); !slices.Equal(got, want) {
			t.Fatalf("line %d, %q: ids %v, expected %v", i, line, got, want)
		}
	}
	if got, want := made.Decode([]int{1, 504, 2}), published.Decode([]int{1, 504, 2}); got != want {
		t.Errorf("decoded %q, expected %q", got, want)
	}
}

// lines generates texts of words, numbers, white space, punctuation, other scripts and special tokens.
func lines(n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{"the", "Attention", "sink", "don't", "WE'LL", "x", "naïve", "ﬁne", "日本語", "привет", "🙂", "e\u0301", "<|im_start|>", "<|endoftext|>", "1", "42", "2026", "3.14",
		"\t", "  ", "   ", "\n", "\r\n", ".", ",", "!?", "--", "(", ")", "[[", "def f(x):", "http://a.b/c?d=e", "\u00a0", "\u200d", "’", "“q”", "مرحبا", "a\u0000b"}
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for range rng.IntN(14) {
			b.WriteString(words[rng.IntN(len(words))])
			if rng.IntN(3) > 0 {
				b.WriteByte(' ')
			}
			if rng.IntN(12) == 0 {
				b.WriteRune(rune(0x20 + rng.IntN(0x2000)))
			}
		}
		out[i] = b.String()
	}
	return out
}
