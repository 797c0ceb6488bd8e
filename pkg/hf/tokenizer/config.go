package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// config is what is read of a tokenizer_config.json, the file in which transformers keeps a tokenizer's settings.
type config struct {
	BOS            tokenName `json:"bos_token"`
	EOS            tokenName `json:"eos_token"`
	AddBOS         *bool     `json:"add_bos_token"`
	AddEOS         *bool     `json:"add_eos_token"`
	AddPrefixSpace *bool     `json:"add_prefix_space"`
	// Added lists the added tokens once more, by id: if they are not those of tokenizer.json the files do not belong together.
	Added map[string]tokenName `json:"added_tokens_decoder"`
	found bool
}

// tokenName is a token by its content, written as a string, as {"content": "..."}, or as null.
type tokenName string

func (n *tokenName) UnmarshalJSON(raw []byte) error {
	var text *string
	if json.Unmarshal(raw, &text) == nil {
		if text != nil {
			*n = tokenName(*text)
		}
		return nil
	}
	var object struct{ Content string }
	if err := json.Unmarshal(raw, &object); err != nil {
		return errors.New(`expected a token as "..." or {"content": "..."}`)
	}
	*n = tokenName(object.Content)
	return nil
}

// The names by which BOS and EOS are known when no tokenizer_config.json says which they are: those of Llama-2, Llama-3, Gemma, GPT-2 and
// ChatML vocabularies. Only special tokens are considered.
var (
	usualBOS = []string{"<s>", "<|begin_of_text|>", "<bos>", "<|endoftext|>"}
	usualEOS = []string{"</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>", "<|im_end|>"}
)

// apply settles BOS and EOS, and what the post-processor adds where the config overrides it, as transformers does.
func (t *Tokenizer) apply(c config) error {
	t.config = c
	t.bos, t.eos = absent, absent
	if c.found {
		t.bos, t.eos = t.find(c.BOS), t.find(c.EOS)
	} else {
		t.bos, t.eos = t.usual(t.before, usualBOS), t.usual(t.after, usualEOS)
	}
	for _, id := range slices.Sorted(maps.Keys(c.Added)) {
		content := c.Added[id]
		if got := t.find(content); fmt.Sprint(got) != id {
			return fmt.Errorf("added_tokens_decoder: found %q with id %s, expected id %d as in tokenizer.json (-1: not in it); the two files are not of one tokenizer", content, id, got)
		}
	}
	var err error
	if t.before, err = override(t.before, c.AddBOS, t.bos, "add_bos_token", "bos_token"); err != nil {
		return err
	}
	if t.after, err = override(t.after, c.AddEOS, t.eos, "add_eos_token", "eos_token"); err != nil {
		return err
	}
	if b, ok := t.preTokenizer.(byteLevel); ok && c.AddPrefixSpace != nil {
		b.addPrefixSpace = *c.AddPrefixSpace
		t.preTokenizer = b
	}
	return nil
}

// find returns the id of a token, or absent.
func (t *Tokenizer) find(name tokenName) int {
	if id, ok := t.ids[string(name)]; ok && name != "" {
		return id
	}
	return absent
}

// usual guesses a token: the one the post-processor adds, if it adds exactly one, or a special token of a usual name.
func (t *Tokenizer) usual(added []int, names []string) int {
	if len(added) == 1 {
		return added[0]
	}
	for _, name := range names {
		if id, ok := t.ids[name]; ok && t.IsSpecial(id) {
			return id
		}
	}
	return absent
}

// override returns the ids to add on one side, given the template's and the config's setting.
func override(ids []int, add *bool, id int, setting, name string) ([]int, error) {
	switch {
	case add == nil:
		return ids, nil
	case *add && id == absent:
		return nil, fmt.Errorf("%s is true but %s is not a token of tokenizer.json; set one of them right", setting, name)
	case *add && !slices.Contains(ids, id):
		if len(ids) > 0 {
			return nil, fmt.Errorf("%s is true but the post-processor adds %v, without %s %d; set one of them right", setting, ids, name, id)
		}
		return []int{id}, nil
	case !*add && len(ids) == 1 && ids[0] == id:
		return nil, nil
	}
	return ids, nil
}
