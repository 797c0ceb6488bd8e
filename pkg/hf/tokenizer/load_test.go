package tokenizer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// TestUnsupportedLayoutsAreRefusedByName: what this package does not do must never pass as something it does.
func TestUnsupportedLayoutsAreRefusedByName(t *testing.T) {
	kind := func(name string) object { return object{"type": name} }
	model := func(changes object) object {
		return object{"model": with(llama2()["model"].(object), changes)}
	}
	unigramModel := func(changes object) object {
		return object{"model": with(t5()["model"].(object), changes)}
	}
	split := func(pattern string) object {
		return object{"pre_tokenizer": object{"type": "Split", "pattern": object{"Regex": pattern}, "behavior": "Isolated", "invert": false}}
	}
	byteLevel := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}
	for _, test := range []struct {
		changes object
		want    string
	}{
		{object{"normalizer": kind("Precompiled")}, "precompiled_charsmap: missing"},
		{object{"normalizer": object{"type": "Precompiled", "precompiled_charsmap": "____"}}, "base64"},
		{object{"normalizer": object{"type": "Precompiled", "precompiled_charsmap": "/////wAA"}}, "4294967295 bytes"},
		{object{"normalizer": kind("BertNormalizer")}, "BertNormalizer"},
		{object{"normalizer": sequence("Sequence", "normalizers", kind("Frobnicate"))}, "Frobnicate"},
		{object{"normalizer": object{"type": "Replace", "pattern": object{"Regex": `\h+`}, "content": ""}}, `\\h`},
		{object{"normalizer": object{"type": "Replace", "pattern": object{"String": ""}, "content": ""}}, "empty"},
		{object{"normalizer": object{"type": "Prepend", "prepend": "x", "times": 2}}, "times"},
		{object{"normalizer": "NFC"}, "normalizer"},
		{object{"pre_tokenizer": kind("UnicodeScripts")}, "UnicodeScripts"},
		{object{"pre_tokenizer": object{"type": "CharDelimiterSplit", "delimiter": "ab"}}, "one character"},
		{object{"pre_tokenizer": object{"type": "Punctuation", "behavior": "Sideways"}}, "Sideways"},
		{object{"pre_tokenizer": object{"type": "ByteLevel", "use_rules": true}}, "use_rules"},
		{object{"pre_tokenizer": sequence("Sequence", "pretokenizers", byteLevel, object{"type": "Metaspace", "replacement": "▁"})}, "after ByteLevel"},
		{split(`(?<=x)y`), "(?<="},
		{object{"pre_tokenizer": object{"type": "Split", "pattern": object{"String": "x"}, "behavior": "Sideways"}}, "Sideways"},
		{object{"pre_tokenizer": object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "sometimes"}}, "sometimes"},
		{object{"pre_tokenizer": object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "add_prefix_space": false}}, "agree"},
		{object{"pre_tokenizer": object{"type": "Metaspace", "replacement": "__"}}, "one character"},
		{object{"model": kind("WordPiece")}, `model "WordPiece" is not supported`},
		{object{"model": kind("WordLevel")}, "WordLevel"},
		{object{"model": nil}, "missing"},
		{model(object{"dropout": 0.1}), "dropout"},
		{model(object{"end_of_word_suffix": "</w>"}), "end_of_word_suffix"},
		{model(object{"continuing_subword_prefix": "##"}), "continuing_subword_prefix"},
		{model(object{"unk_token": "[UNK]"}), `unk_token "[UNK]"`},
		{model(object{"merges": []string{"a b c"}}), "a b c"},
		{model(object{"merges": []string{"a c"}}), `"ac" is not in the vocabulary`},
		{model(object{"merges": []any{[]string{"a"}}}), "found 1 parts"},
		{model(object{"merges": 3}), "merges"},
		{model(object{"vocab": object{}}), "empty"},
		{model(object{"vocab": object{"a": -1}}), "id -1"},
		{model(object{"vocab": object{"a": 1 << 40}}), "id 1099511627776"},
		{model(object{"vocab": object{"a": 1.5}}), "vocab"},
		{model(object{"vocab": object{"a": 1, "b": 1}}), `id 1 twice, of "a" and "b"`},
		{model(object{"byte_level": true}), "byte_level"},
		{unigramModel(object{"unk_id": nil}), "unk_id"},
		{unigramModel(object{"unk_id": 99}), "unk_id 99"},
		{unigramModel(object{"vocab": []any{[]any{"a", 0.0}, []any{"a", 1.0}}}), "twice"},
		{unigramModel(object{"vocab": []any{[]any{"a"}}}), "entry 0"},
		{with(unigramModel(nil), object{"pre_tokenizer": byteLevel}), "ByteLevel"},
		{object{"post_processor": object{"type": "BertProcessing", "sep": "</s>"}}, "BertProcessing"},
		{object{"post_processor": object{"type": "RobertaProcessing", "sep": []any{"</s>", 5000}, "cls": []any{"<s>", 1}}}, "id 5000"},
		{object{"post_processor": template("<s>", 5000)}, "id 5000"},
		{object{"post_processor": with(template("<s>", 1), object{"special_tokens": object{}})}, `"<s>" is not among`},
		{object{"post_processor": with(template("<s>", 1), object{"single": []any{}})}, "sequence A"},
		{object{"post_processor": sequence("Sequence", "processors", template("<s>", 1), template("</s>", 2))}, "second template"},
		{object{"decoder": kind("WordPiece")}, `decoder "WordPiece" is not supported`},
		{object{"decoder": kind("CTC")}, "CTC"},
		{object{"decoder": sequence("Sequence", "decoders", byteLevel, kind("ByteFallback"))}, "ByteLevel beside"},
		{object{"decoder": object{"type": "Strip", "content": " ", "start": 1, "stop": 0}}, "before Fuse"},
		{object{"decoder": sequence("Sequence", "decoders", kind("Fuse"), object{"type": "Strip", "content": " ", "start": 1, "stop": 1})}, "stop"},
		{object{"decoder": sequence("Sequence", "decoders", kind("Fuse"), object{"type": "Replace", "pattern": object{"String": "xy"}, "content": ""})}, "after Fuse"},
		{object{"added_tokens": []any{addedToken(7, "<s>")}}, `"<s>" with id 7`},
		{object{"added_tokens": []any{addedToken(1, "<bos>")}}, `which is that of "<s>"`},
		{object{"added_tokens": []any{addedToken(1<<40, "<big>")}}, "<big>"},
	} {
		t.Run(test.want, func(t *testing.T) {
			_, err := tokenizer.Parse(encodeJSON(t, with(llama2(), test.changes)), nil)
			if err == nil {
				t.Fatal("loaded, want a refusal")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q lacks %q", err, test.want)
			}
		})
	}
	// What chains would make of a text, or of a token, is bounded.
	doubling := object{"type": "Replace", "pattern": object{"String": "a"}, "content": "aa"}
	var doublings, many []any
	for range 45 {
		doublings = append(doublings, doubling)
	}
	for range 1000 {
		many = append(many, kind("Lowercase"))
	}
	for name, changes := range map[string]object{
		"45 doublings":            {"normalizer": sequence("Sequence", "normalizers", doublings...)},
		"45 doublings of a token": {"decoder": sequence("Sequence", "decoders", doublings...)},
		"1,000 normalizers":       {"normalizer": sequence("Sequence", "normalizers", many...)},
		"a long prefix":           {"normalizer": object{"type": "Prepend", "prepend": strings.Repeat("a", 1<<20)}},
	} {
		if _, err := tokenizer.Parse(encodeJSON(t, with(llama2(), changes)), nil); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	deep := object{"type": "Lowercase"}
	for range 20 {
		deep = sequence("Sequence", "normalizers", deep)
	}
	if _, err := tokenizer.Parse(encodeJSON(t, with(llama2(), object{"normalizer": deep})), nil); err == nil {
		t.Error("20 sequences inside each other loaded")
	}
}

func TestOlderFormsOfAFileLoad(t *testing.T) {
	want := parse(t, llama2()).Encode("abc ab")
	model := with(llama2()["model"].(object), object{"merges": []any{[]string{"▁", "a"}, []string{"b", "c"}, []string{"a", "b"}, []string{"▁a", "b"}}})
	delete(model, "type") // files of the first versions name no model
	delete(model, "ignore_merges")
	if got := parse(t, with(llama2(), object{"model": model})).Encode("abc ab"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	model["merges"] = []string{"#version: 0.2", "▁ a", "b c", "a b", "▁a b"}
	if got := parse(t, with(llama2(), object{"model": model})).Encode("abc ab"); !slices.Equal(got, want) {
		t.Errorf("with a version line: got %v, want %v", got, want)
	}
}

func TestConfigDecidesWhatIsAdded(t *testing.T) {
	layout := encodeJSON(t, llama2())
	for _, test := range []struct {
		config string
		want   []int
		bos    int // -1: none
	}{
		{`{}`, []int{1, 262}, -1},
		{`{"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false}}`, []int{1, 262}, 1},
		{`{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"add_eos_token":true}`, []int{1, 262, 2}, 1},
		{`{"bos_token":"<s>","add_bos_token":false}`, []int{262}, 1},
		{`{"bos_token":null,"add_bos_token":false}`, []int{1, 262}, -1}, // not the BOS the template adds
		{`{"bos_token":"<s>","added_tokens_decoder":{"1":{"content":"<s>","special":true}},"chat_template":"x"}`, []int{1, 262}, 1},
	} {
		tok, err := tokenizer.Parse(layout, []byte(test.config))
		if err != nil {
			t.Errorf("%s: %v", test.config, err)
			continue
		}
		if got := tok.Encode("a"); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.config, got, test.want)
		}
		if bos, ok := tok.BOS(); ok != (test.bos >= 0) || ok && bos != test.bos {
			t.Errorf("%s: BOS %d %v, want %d", test.config, bos, ok, test.bos)
		}
	}
	for config, want := range map[string]string{
		`{"add_bos_token":true}`:                             "bos_token is not a token",
		`{"add_eos_token":true,"eos_token":null}`:            "eos_token is not a token",
		`{"added_tokens_decoder":{"x":{"content":"<new>"}}}`: `the id "x"`,
		`{"add_bos_token":true,"bos_token":"</s>"}`:          "adds [1]",
		`{"added_tokens_decoder":{"9":{"content":"<new>"}}}`: "<new>",
		`{"added_tokens_decoder":{"2":{"content":"<s>"}}}`:   "id 2",
		`{"bos_token":3}`:                                    "expected a token",
		`{"bos_token"`:                                       "not valid JSON",
	} {
		if _, err := tokenizer.Parse(layout, []byte(config)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "tokenizer_config.json") {
			t.Errorf("%s: error %v, want %q and the file", config, err, want)
		}
	}
	// GPT-2's class lets the config decide on the prefix space too.
	gpt2 := llama3()
	gpt2["pre_tokenizer"] = object{"type": "ByteLevel", "add_prefix_space": false}
	tok, err := tokenizer.Parse(encodeJSON(t, gpt2), []byte(`{"add_prefix_space":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.EncodePlain("Hi"); !slices.Equal(got, []int{12}) {
		t.Errorf("with add_prefix_space: %v, want ĠHi", got)
	}
}

func TestLoadExplainsWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	if _, err := tokenizer.Load(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing path loaded")
	}
	if _, err := tokenizer.Load(dir); err == nil || !strings.Contains(err.Error(), "save_pretrained") {
		t.Errorf("a directory without tokenizer.json: %v", err)
	}
	path := filepath.Join(dir, "tokenizer.json")
	for content, want := range map[string]string{"{\"model\": ": "not valid JSON at byte", "[]": "tokenizer.json", "{}": "model: missing", "": "not valid JSON"} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := tokenizer.Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want %q and the path", content, err, want)
		}
	}
}

// FuzzParse assembles files of fuzzed components, which reach deeper than bytes of a whole file would: no panic, no allocation that the
// file does not justify (it would end the process), and what loads can encode and decode.
func FuzzParse(f *testing.F) {
	const (
		bpe     = `{"type":"BPE","unk_token":"u","fuse_unk":true,"byte_fallback":true,"ignore_merges":false,"vocab":{"u":0,"▁":1,"a":2,"b":3,"ab":4,"▁ab":9,"<0xC3>":7},"merges":["a b","▁ ab"]}`
		bytes   = `{"type":"BPE","vocab":{"H":0,"i":1,"Ġ":2,"Hi":3},"merges":[["H","i"]],"ignore_merges":true}`
		unigram = `{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["u",0],["▁a",-1.5],["b",-2],["<0xC3>",-9]]}`
		added   = `[{"id":0,"content":"u","special":true},{"id":12,"content":"<x>","lstrip":true,"rstrip":true,"single_word":true,"normalized":true}]`
		level   = `{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`
		meta    = `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}`
		post    = `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"u","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"u":{"id":"u","ids":[0],"tokens":["u"]}}}`
		text    = "ab <x> Hi's 12 é🦙\xff"
	)
	f.Add(`{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}`, `null`, bpe, added, post,
		`{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}`, `{}`, text)
	f.Add(`{"type":"NFKC"}`, level, bytes, `[]`, level, level, `{"bos_token":"H","add_bos_token":true}`, text)
	f.Add(`{"type":"Lowercase"}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|a{1,3}"},"behavior":"MergedWithNext","invert":true},{"type":"Digits","individual_digits":true}]}`,
		bpe, added, `null`, `null`, `{"eos_token":{"content":"u"},"add_eos_token":true}`, text)
	f.Add(`null`, meta, unigram, added, post, meta, `{"add_bos_token":false}`, text)
	f.Add(`{"type":"Sequence","normalizers":[{"type":"Strip","strip_left":true,"strip_right":true},{"type":"StripAccents"},{"type":"Nmt"},{"type":"Precompiled","precompiled_charsmap":"BAAAAAAEAABhAA=="}]}`,
		`{"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},{"type":"ByteLevel","add_prefix_space":false},{"type":"Digits","individual_digits":false},{"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]|\\s+$|^\\w"},"behavior":"Isolated","invert":false}]}`,
		bytes, `[]`, `{"type":"RobertaProcessing","sep":["i",1],"cls":["H",0],"trim_offsets":true,"add_prefix_space":false}`, level, `{}`, text)
	f.Add(`{"type":"ByteLevel"}`, `{"type":"Whitespace"}`, bpe, added, `null`, `{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"Strip","content":" ","start":1,"stop":0}]}`, `{}`, text)
	f.Fuzz(func(t *testing.T, normalizer, preTokenizer, model, added, postProcessor, decoder, settings, text string) {
		source := fmt.Sprintf(`{"normalizer":%s,"pre_tokenizer":%s,"model":%s,"added_tokens":%s,"post_processor":%s,"decoder":%s}`, normalizer, preTokenizer, model, added, postProcessor, decoder)
		text = text[:min(len(text), 100)]
		testlimit.Run(t, len(source)+len(settings)+len(text), func() { encodeAndDecode(t, source, settings, text) })
	})
}

// encodeAndDecode loads a tokenizer and, where it loads, passes a text through it and back.
func encodeAndDecode(t *testing.T, source, settings, text string) {
	tok, err := tokenizer.Parse([]byte(source), []byte(settings))
	if err != nil {
		return
	}
	ids := tok.Encode(text)
	tokens := tok.Tokens(text, true)
	if len(tokens) != len(ids) {
		t.Fatalf("Encode gave %d ids, Tokens %d", len(ids), len(tokens))
	}
	for i, token := range tokens {
		if token.ID != ids[i] || token.Start > token.End || token.End > len(text) || token.ID > tok.MaxID() {
			t.Fatalf("token %d is %+v, id %d", i, token, ids[i])
		}
	}
	tok.Decode(ids)
	stream := tok.NewStream()
	for _, id := range ids {
		stream.Push(id)
	}
	stream.Flush()
}
