package tokenizer_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// refusedLayouts are layouts of testdata/layouts.json.gz that this package refuses, with what the error names.
var refusedLayouts = map[string]string{"unigram UnicodeScripts": "UnicodeScripts"}

// TestLayoutsEqualTokenizers encodes and decodes generated texts with tokenizers of every layout and compares ids and texts with those of
// Hugging Face's tokenizers (testdata/differential.py). ATTUNE_TOKENIZER_GOLDENS names a folder with more texts.
func TestLayoutsEqualTokenizers(t *testing.T) {
	folder := "testdata"
	if other := os.Getenv("ATTUNE_TOKENIZER_GOLDENS"); other != "" {
		folder = other
	}
	var texts []string
	readJSON(t, filepath.Join(folder, "texts.json"), &texts)
	var want map[string]string
	readJSON(t, filepath.Join(folder, "differential.json.gz"), &want)
	layouts := readLayouts(t)
	for name, hashes := range want {
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			var tok *tokenizer.Tokenizer
			var err error
			if layout, ok := layouts[name]; ok {
				tok, err = tokenizer.Parse(encodeJSON(t, layout), nil)
			} else {
				tok, err = tokenizer.Load(name) // A file that differential.py was given.
			}
			if part, ok := refusedLayouts[name]; ok {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v, want a refusal that names %q", err, part)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			goldens := strings.Fields(hashes)
			wrong := 0
			for i, text := range texts {
				ids := tok.Encode(text)
				if got := short(t, ids); got != goldens[i][:8] {
					wrong++
					if wrong <= 5 {
						t.Errorf("text %d, %q: the ids %v have the hash %s, want %s", i, text, ids, got, goldens[i][:8])
					}
					continue
				}
				if decoded := tok.Decode(ids); !strings.Contains(decoded, "\uFFFD") {
					if got := streamed(t, tok, ids); got != decoded {
						wrong++
						t.Errorf("text %d, %q: the stream gives %q, decoding %q", i, text, got, decoded)
					}
				}
				if got := short(t, []string{tok.Decode(ids), tok.DecodeWithSpecial(ids)}); got != goldens[i][8:] {
					wrong++
					if wrong <= 5 {
						t.Errorf("text %d, %q: %v decodes to %q and %q, which is not what it should be", i, text, ids, tok.Decode(ids), tok.DecodeWithSpecial(ids))
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d texts differ", wrong, len(texts))
			}
		})
	}
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(content)); err == nil {
			content, err = io.ReadAll(r)
		}
	}
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// short is 8 digits of the hash of a value's JSON, as differential.py has it.
func short(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	// Python escapes neither of these, and writes DEL and the control characters alike.
	text := strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(b.String(), "\n"))
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:8]
}

// readLayouts puts the layouts together as differential.py does.
func readLayouts(t testing.TB) map[string]object {
	t.Helper()
	compressed, err := os.ReadFile(filepath.Join("testdata", "layouts.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var files struct {
		Bases   map[string]object
		Layouts map[string]object
	}
	if err := json.Unmarshal(content, &files); err != nil {
		t.Fatal(err)
	}
	layouts := map[string]object{}
	for name, layout := range files.Layouts {
		model := maps.Clone(files.Bases[layout["base"].(string)])
		maps.Copy(model, layout["model"].(object))
		size := 0
		switch vocabulary := model["vocab"].(type) {
		case object:
			size = len(vocabulary)
		case []any:
			size = len(vocabulary)
		}
		added := []any{addedToken(0, "<unk>", "special"), addedToken(1, "<s>", "special"), addedToken(2, "</s>", "special")}
		if layout["tokens"].(bool) {
			added = append(added, addedToken(size, "<|t|>", "special", "lstrip"), addedToken(size+1, "[M]", "special", "rstrip", "single_word"), addedToken(size+2, "<x>", "normalized"))
		}
		layouts[name] = object{"model": model, "added_tokens": added, "normalizer": layout["normalizer"], "pre_tokenizer": layout["pre_tokenizer"], "post_processor": layout["post_processor"], "decoder": layout["decoder"]}
	}
	return layouts
}
