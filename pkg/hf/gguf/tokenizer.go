package gguf

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The expressions with which byte-level tokenizers cut text into words, by what llama.cpp calls them (tokenizer.ggml.pre). Empty: GPT-2's own, which
// tokenizer.json writes as use_regex.
//
// "smollm" is read as transformers reads it from a GGUF file: by GPT-2's expression alone. llama.cpp cuts digits off first, which gives other ids for several
// white spaces in front of a digit.
var preTokenizers = map[string]struct {
	pattern   string
	normalise bool // NFC
	whole     bool // ignore_merges
	bos       bool // add_bos_token where the file does not say
}{
	"gpt-2":     {},
	"smollm":    {},
	"llama-bpe": {pattern: llama3Pattern, whole: true, bos: true},
	"llama3":    {pattern: llama3Pattern, whole: true, bos: true},
	"qwen2":     {pattern: strings.Replace(llama3Pattern, `\p{N}{1,3}`, `\p{N}`, 1), normalise: true},
}

const llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// Kinds of tokens, tokenizer.ggml.token_type.
const (
	tokenUnknown     = 2
	tokenControl     = 3
	tokenUserDefined = 4
	tokenUnused      = 5
)

// maxToken is far above the longest published token, a run of 256 bytes: looking for the parts of a token takes the square of its length.
const maxToken = 1024

type object = map[string]any

// ggmlTokenizer is what the metadata says of the tokenizer.
type ggmlTokenizer struct {
	file   *File
	tokens []string
	kinds  []int64
}

// Tokenizer returns the tokenizer.json and tokenizer_config.json that transformers would have, made of the metadata: byte-level BPE ("gpt2") with one of the known
// ways to cut words, or SentencePiece BPE ("llama"). Another one is an error that names it; a tokenizer.json beside the file then serves.
func (c *Checkpoint) Tokenizer() (source, settings []byte, err error) {
	source, settings, err = c.file.tokenizer()
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %s: %w; put the model's tokenizer.json beside the file", c.file.path, err)
	}
	return source, settings, nil
}

// Tokens returns the vocabulary of the metadata by id, nil where there is none.
func (c *Checkpoint) Tokens() []string {
	tokens, _ := c.file.Value("tokenizer.ggml.tokens").Texts()
	return tokens
}

func (f *File) tokenizer() (source, settings []byte, err error) {
	t := &ggmlTokenizer{file: f}
	kind, _ := f.Value("tokenizer.ggml.model").Text()
	var ok bool
	if t.tokens, ok = f.Value("tokenizer.ggml.tokens").Texts(); !ok || kind == "" {
		return nil, nil, fmt.Errorf("metadata key %q: not found, expected the vocabulary", "tokenizer.ggml.tokens")
	}
	if t.kinds, ok = f.Value("tokenizer.ggml.token_type").Ints(); !ok || len(t.kinds) != len(t.tokens) {
		return nil, nil, fmt.Errorf("metadata key %q: found %d kinds, expected one for each of the %d tokens", "tokenizer.ggml.token_type", len(t.kinds), len(t.tokens))
	}
	var whole object
	bos := false
	switch kind {
	case "gpt2":
		whole, bos, err = t.byteLevel()
	case "llama":
		whole, err = t.sentencePiece()
		bos = true
	default:
		return nil, nil, fmt.Errorf("metadata key %q: found %q, expected gpt2 or llama (BPE)", "tokenizer.ggml.model", kind)
	}
	if err != nil {
		return nil, nil, err
	}
	whole["added_tokens"] = t.added()
	if source, err = json.Marshal(whole); err != nil {
		return nil, nil, err
	}
	settings, err = json.Marshal(t.settings(bos))
	return source, settings, err
}

// vocabulary is the tokens by name. Unused ones fill the table up and stand for nothing.
func (t *ggmlTokenizer) vocabulary() (map[string]int, error) {
	vocab := make(map[string]int, len(t.tokens))
	for id, token := range t.tokens {
		if t.kinds[id] == tokenUnused {
			continue
		}
		if len(token) > maxToken {
			return nil, fmt.Errorf("metadata key %q: found token %d of %d bytes, expected at most %d", "tokenizer.ggml.tokens", id, len(token), maxToken)
		}
		if first, twice := vocab[token]; twice {
			return nil, fmt.Errorf("metadata key %q: found %q as tokens %d and %d, expected each token once", "tokenizer.ggml.tokens", token, first, id)
		}
		vocab[token] = id
	}
	return vocab, nil
}

// added are the tokens that are found in a text before anything else.
func (t *ggmlTokenizer) added() []object {
	list := []object{}
	for id, kind := range t.kinds {
		if kind == tokenControl || kind == tokenUserDefined || kind == tokenUnknown {
			list = append(list, object{"id": id, "content": t.tokens[id], "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
				"special": kind != tokenUserDefined})
		}
	}
	return list
}

// byteLevel is GPT-2's kind of tokenizer.
func (t *ggmlTokenizer) byteLevel() (whole object, bos bool, err error) {
	name, _ := t.file.Value("tokenizer.ggml.pre").Text()
	pre, ok := preTokenizers[name]
	if !ok {
		return nil, false, fmt.Errorf("metadata key %q: found %q, expected one of %s", "tokenizer.ggml.pre", name, strings.Join(slices.Sorted(maps.Keys(preTokenizers)), ", "))
	}
	vocab, err := t.vocabulary()
	if err != nil {
		return nil, false, err
	}
	merges, ok := t.file.Value("tokenizer.ggml.merges").Texts()
	if !ok {
		return nil, false, fmt.Errorf("metadata key %q: not found, expected the merges of byte pairs", "tokenizer.ggml.merges")
	}
	bytes := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": pre.pattern == ""}
	whole = object{
		"normalizer": nil, "pre_tokenizer": bytes, "post_processor": nil, "decoder": object{"type": "ByteLevel"},
		"model": object{"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": pre.whole},
	}
	if pre.pattern != "" {
		split := object{"type": "Split", "pattern": object{"Regex": pre.pattern}, "behavior": "Isolated", "invert": false}
		whole["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": []object{split, bytes}}
	}
	if pre.normalise {
		whole["normalizer"] = object{"type": "NFC"}
	}
	return whole, pre.bos, nil
}

// sentencePiece is the kind of Llama 2, Phi 3 and Gemma: BPE over characters, with spaces as ▁ and bytes for what the vocabulary lacks. The order of merges is
// that of the scores of what they make.
func (t *ggmlTokenizer) sentencePiece() (object, error) {
	vocab, err := t.vocabulary()
	if err != nil {
		return nil, err
	}
	scores, ok := t.file.Value("tokenizer.ggml.scores").Floats()
	if !ok || len(scores) != len(t.tokens) {
		return nil, fmt.Errorf("metadata key %q: found %d scores, expected one for each of the %d tokens", "tokenizer.ggml.scores", len(scores), len(t.tokens))
	}
	replace := func(from, to string) object {
		return object{"type": "Replace", "pattern": object{"String": from}, "content": to}
	}
	prefix := true
	if v := t.file.Value("tokenizer.ggml.add_space_prefix"); v.Found() {
		prefix, _ = v.Bool()
	}
	normalizers := []object{replace(" ", "▁")}
	decoders := []object{replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}}
	if prefix {
		normalizers = append([]object{{"type": "Prepend", "prepend": "▁"}}, normalizers...)
		decoders = append(decoders, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	model := object{"type": "BPE", "vocab": vocab, "merges": mergesByScore(t.tokens, t.kinds, scores, vocab), "fuse_unk": true, "byte_fallback": true}
	if id := slices.Index(t.kinds, tokenUnknown); id >= 0 {
		model["unk_token"] = t.tokens[id]
	}
	return object{
		"normalizer": object{"type": "Sequence", "normalizers": normalizers}, "pre_tokenizer": nil, "post_processor": nil,
		"decoder": object{"type": "Sequence", "decoders": decoders}, "model": model,
	}, nil
}

// mergesByScore lists every pair of tokens that together are a token, those of the best scores first (transformers' generate_merges).
func mergesByScore(tokens []string, kinds []int64, scores []float64, vocab map[string]int) [][2]string {
	type merge struct {
		left, right string
		score       float64
		rank        [2]int
	}
	var list []merge
	for id, token := range tokens {
		if kinds[id] != 1 { // made of no others
			continue
		}
		for i := range token {
			if i == 0 {
				continue
			}
			left, l := vocab[token[:i]]
			right, r := vocab[token[i:]]
			if l && r {
				list = append(list, merge{token[:i], token[i:], scores[id], [2]int{left, right}})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b merge) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(len([]rune(b.left)), len([]rune(a.left))), cmp.Compare(len([]rune(b.right)), len([]rune(a.right))),
			cmp.Compare(a.rank[0], b.rank[0]), cmp.Compare(a.rank[1], b.rank[1]))
	})
	out := make([][2]string, len(list))
	for i, m := range list {
		out[i] = [2]string{m.left, m.right}
	}
	return out
}

// settings is tokenizer_config.json.
func (t *ggmlTokenizer) settings(bos bool) object {
	out := object{}
	for key, name := range map[string]string{"bos_token": "bos_token_id", "eos_token": "eos_token_id", "unk_token": "unknown_token_id", "pad_token": "padding_token_id"} {
		if id, ok := t.file.Value("tokenizer.ggml." + name).Int(); ok && id >= 0 && id < int64(len(t.tokens)) {
			out[key] = t.tokens[id]
		}
	}
	if v, ok := t.file.Value("tokenizer.ggml.add_bos_token").Bool(); ok {
		bos = v
	}
	out["add_bos_token"] = bos && out["bos_token"] != nil
	eos, _ := t.file.Value("tokenizer.ggml.add_eos_token").Bool()
	out["add_eos_token"] = eos && out["eos_token"] != nil
	if template, ok := t.file.Value("tokenizer.chat_template").Text(); ok {
		out["chat_template"] = template
	}
	return out
}
