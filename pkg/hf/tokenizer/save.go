package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// Save writes the tokenizer: into a directory (made if it is not there) as tokenizer.json and tokenizer_config.json, or, where path ends in
// .json, as that one file. A loaded tokenizer is written as it was read, byte for byte.
func (t *Tokenizer) Save(path string) error {
	if strings.HasSuffix(path, ".json") {
		return writeFile(path, t.source)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if err := writeFile(filepath.Join(path, tokenizerName), t.source); err != nil {
		return err
	}
	if t.settings == nil {
		return nil
	}
	return writeFile(filepath.Join(path, configName), t.settings)
}

func writeFile(path string, content []byte) error {
	if err := env.WriteBytes(path, 0o666, content); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	return nil
}

// export writes a trained tokenizer as a tokenizer.json and a tokenizer_config.json. Every field that Hugging Face's library reads
// is there, the merges in the form that its older versions read too, and the vocabulary in the order of its ids.
func (tr *trainer) export(special int, options TrainOptions) (source, settings []byte) {
	type object = map[string]any
	var added []addedToken
	for id, token := range tr.tokens[:special] {
		added = append(added, addedToken{ID: id, Content: token, Special: true})
	}
	byteLevel := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	var cut any = byteLevel
	if !options.JoinDigits {
		cut = object{"type": "Sequence", "pretokenizers": []any{object{"type": "Digits", "individual_digits": true}, byteLevel}}
	}
	var around any = object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}
	if !options.NoBOS {
		bos := object{"SpecialToken": object{"id": trainedBOS, "type_id": 0}}
		sequence := func(name string, kind int) object {
			return object{"Sequence": object{"id": name, "type_id": kind}}
		}
		around = object{
			"type":           "TemplateProcessing",
			"single":         []any{bos, sequence("A", 0)},
			"pair":           []any{bos, sequence("A", 0), sequence("B", 1)},
			"special_tokens": object{trainedBOS: object{"id": trainedBOS, "ids": []int{0}, "tokens": []string{trainedBOS}}},
		}
	}
	merges := make([]string, len(tr.merges))
	for i, m := range tr.merges {
		merges[i] = charsOf(tr.tokens[m.left]) + " " + charsOf(tr.tokens[m.right])
	}
	type model struct {
		Type         string          `json:"type"`
		Dropout      *float64        `json:"dropout"`
		UnkToken     *string         `json:"unk_token"`
		Prefix       *string         `json:"continuing_subword_prefix"`
		Suffix       *string         `json:"end_of_word_suffix"`
		FuseUnk      bool            `json:"fuse_unk"`
		ByteFallback bool            `json:"byte_fallback"`
		IgnoreMerges bool            `json:"ignore_merges"`
		Vocab        json.RawMessage `json:"vocab"`
		Merges       []string        `json:"merges"`
	}
	source = marshal(struct {
		Version       string       `json:"version"`
		Truncation    any          `json:"truncation"`
		Padding       any          `json:"padding"`
		AddedTokens   []addedToken `json:"added_tokens"`
		Normalizer    any          `json:"normalizer"`
		PreTokenizer  any          `json:"pre_tokenizer"`
		PostProcessor any          `json:"post_processor"`
		Decoder       any          `json:"decoder"`
		Model         model        `json:"model"`
	}{
		Version: "1.0", AddedTokens: added, PreTokenizer: cut, PostProcessor: around, Decoder: byteLevel,
		Model: model{Type: "BPE", Vocab: tr.vocabulary(special), Merges: merges},
	})
	settings = marshal(object{
		"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
		"bos_token": trainedBOS, "eos_token": trainedEOS, "unk_token": trainedUnknown, "pad_token": trainedPad,
	})
	return source, settings
}

// vocabulary writes the vocabulary as an object in the order of the ids, which a map would not keep.
func (tr *trainer) vocabulary(special int) []byte {
	var b bytes.Buffer
	for id, token := range tr.tokens {
		if id >= special {
			token = charsOf(token)
		}
		separator := byte(',')
		if id == 0 {
			separator = '{'
		}
		b.WriteByte(separator)
		b.Write(marshal(token))
		fmt.Fprintf(&b, ":%d", id)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// marshal writes JSON without HTML's escapes. It is given only values that cannot fail.
func marshal(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
