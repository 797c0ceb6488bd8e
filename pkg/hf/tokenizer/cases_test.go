package tokenizer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// sharedFolder is a folder beside the repository; the test is skipped where it is absent.
func sharedFolder(t *testing.T, path string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "shared", path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("needs the folder shared/%s beside the repository, which is absent", path)
	}
	return dir
}

func TestCasesOfSpecialTokens(t *testing.T) {
	for _, name := range []string{"special-tokens-map", "special-tokens-map-add"} {
		t.Run(name, func(t *testing.T) {
			tok, err := tokenizer.Load(sharedFolder(t, filepath.Join("cases", name)))
			if err != nil {
				t.Fatal(err)
			}
			checkSpecial(t, tok, 1, 2, 0)
			if got := tok.Encode("hello"); !slices.Equal(got, []int{1, 281, 306, 414}) {
				t.Errorf("hello is %v, want BOS 1 and 281 306 414", got)
			}
		})
	}
}

// checkSpecial compares BOS, EOS and the unknown token with what transformers gives; -1 is none.
func checkSpecial(t *testing.T, tok *tokenizer.Tokenizer, want ...int) {
	t.Helper()
	for i, get := range []func() (int, bool){tok.BOS, tok.EOS, tok.Unknown} {
		id, ok := get()
		if !ok {
			id = -1
		}
		if id != want[i] {
			t.Errorf("%s is %d, want %d", []string{"BOS", "EOS", "unknown"}[i], id, want[i])
		}
	}
}

// TestSpecialTokensMap: the ids are those of AutoTokenizer (transformers 5.17.0) on the same files.
func TestSpecialTokensMap(t *testing.T) {
	const special = `{"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "unk_token": "<unk>", "pad_token": null}`
	for _, test := range []struct {
		name, config string // config "": no file
		want         []int
	}{
		{"the config names none", `{}`, []int{1, 2, 0}},
		{"the map decides", `{"bos_token": "</s>"}`, []int{1, 2, 0}},
		{"the config says null", `{"bos_token": null}`, []int{1, 2, 0}},
		{"no config", ``, []int{1, 2, 0}},
		{"the config has an added_tokens_decoder", `{"bos_token": "</s>", "added_tokens_decoder": {"1": {"content": "<s>"}}}`, []int{2, -1, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{"tokenizer.json": string(encodeJSON(t, llama2())), "special_tokens_map.json": special}
			if test.config != "" {
				files["tokenizer_config.json"] = test.config
			}
			dir := t.TempDir()
			for name, content := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tok, err := tokenizer.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			checkSpecial(t, tok, test.want...)
			again := t.TempDir() // What is saved says the same in one file.
			if err := tok.Save(again); err != nil {
				t.Fatal(err)
			}
			saved, err := tokenizer.Load(again)
			if err != nil {
				t.Fatal(err)
			}
			checkSpecial(t, saved, test.want...)
			if saved.Hash() != tok.Hash() {
				t.Error("the saved tokenizer has another hash")
			}
		})
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"tokenizer.json": string(encodeJSON(t, llama2())), "special_tokens_map.json": `{"bos_token"`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tokenizer.Load(dir); err == nil || !strings.Contains(err.Error(), "special_tokens_map.json") {
		t.Errorf("a broken special_tokens_map.json: %v", err)
	}
}

// TestTokensThatOnlyTheConfigNames: as in transformers they are added, behind the last id where the vocabulary has no such text.
func TestTokensThatOnlyTheConfigNames(t *testing.T) {
	size := parse(t, llama2()).MaxID() + 1
	for _, test := range []struct {
		config string
		text   string
		want   []int // without BOS
	}{
		{`{"eos_token":"<new>"}`, "a<new>", []int{262, size}},
		{`{"additional_special_tokens":["<new>",{"content":"<other>"}]}`, "<other><new>", []int{size + 1, size}},
		{`{"extra_special_tokens":{"image_token":"<new>"}}`, "<new>", []int{size}},
		{fmt.Sprintf(`{"added_tokens_decoder":{"%d":{"content":"<new>","special":true}}}`, size), "<new>", []int{size}},
		{`{"pad_token":"▁a"}`, "▁a", []int{262}},
	} {
		tok, err := tokenizer.Parse(encodeJSON(t, llama2()), []byte(test.config))
		if err != nil {
			t.Errorf("%s: %v", test.config, err)
			continue
		}
		ids := tok.EncodePlain(test.text)
		if !slices.Equal(ids, test.want) {
			t.Errorf("%s: %q is %v, want %v", test.config, test.text, ids, test.want)
		}
		if last := ids[len(ids)-1]; !tok.IsSpecial(last) || strings.Contains(tok.Decode(ids), "new") {
			t.Errorf("%s: %d is not special, %q", test.config, last, tok.Decode(ids))
		}
	}
	// Another id than the next one is a sign that the files are not of one model.
	if _, err := tokenizer.Parse(encodeJSON(t, llama2()), []byte(`{"added_tokens_decoder":{"9999":{"content":"<new>"}}}`)); err == nil || !strings.Contains(err.Error(), "9999") {
		t.Errorf("an id far behind the vocabulary: %v", err)
	}
}

// TestCasesOfTokenizers compares all ids of 38 tokenizers on 69 texts with those of Hugging Face's tokenizers by one hash, and says which
// of the ids that the case's README spells out differ.
func TestCasesOfTokenizers(t *testing.T) {
	dir := sharedFolder(t, "cases/tokenizer-differential")
	data := sharedFolder(t, "data")
	var texts []string
	content, err := os.ReadFile(filepath.Join(dir, "texts.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &texts); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"gpt2": filepath.Join(data, "tokenizers", "gpt2"), "smollm2": filepath.Join(data, "tokenizers", "smollm2"), "stories260k": filepath.Join(data, "models", "stories260k")}
	small, err := filepath.Glob(filepath.Join(dir, "tk", "*.json"))
	if err != nil || len(small) == 0 {
		t.Fatalf("no tokenizers: %v", err)
	}
	for _, path := range small {
		paths[strings.TrimSuffix(filepath.Base(path), ".json")] = path
	}
	ids := map[string][][]int{}
	for name, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, "tokenizer.json") // The reference reads this file alone.
		}
		tok, err := tokenizer.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			ids[name] = append(ids[name], tok.Encode(text))
		}
	}
	for name, want := range map[string][]int{
		"bl_flags": {295, 264, 295, 271, 108, 100, 295}, "bl_nfc": {32, 32, 264, 32, 32, 271, 108, 100, 277}, "un_bf": {3, 35, 3, 38, 3, 3}, "gpt2": {220, 23748, 220, 995, 220, 220},
		"stories260k": {1, 410, 410, 281, 306, 414, 410, 263, 304, 341, 410, 410},
	} {
		if !slices.Equal(ids[name][7], want) {
			t.Errorf("%s: %q is %v, want %v", name, texts[7], ids[name][7], want)
		}
	}
	var all bytes.Buffer
	all.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(ids)) {
		if i > 0 {
			all.WriteByte(',')
		}
		fmt.Fprintf(&all, "%q:%s", name, encodeJSON(t, ids[name]))
	}
	all.WriteByte('}')
	const want = "24b5c53e3a0e105a82c5cf75c9a147a59196a08590507815eaeba16a4116086f"
	if got := fmt.Sprintf("%x", sha256.Sum256(all.Bytes())); got != want {
		t.Errorf("the ids of %d tokenizers on %d texts have the hash %s, want %s", len(ids), len(texts), got, want)
	}
}
