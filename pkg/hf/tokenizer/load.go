package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/attune-lab/attune/pkg/env"
)

// The files of a tokenizer in a model directory.
const (
	tokenizerName = "tokenizer.json"
	configName    = "tokenizer_config.json"
	specialName   = "special_tokens_map.json"
)

// Largest files read, in bytes: published ones have up to about 35 MB and 2 MB (many added tokens).
const (
	maxFile     = 256 << 20
	maxSettings = 32 << 20
)

// Load reads a tokenizer.json, or the one in a directory together with its tokenizer_config.json, of which add_bos_token, add_eos_token,
// bos_token, eos_token, unk_token and add_prefix_space are honoured, and with its special_tokens_map.json ([ReadConfig]). What the file
// asks for and this package does not do is an error with its name.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	var settings []byte
	if info.IsDir() {
		if settings, err = ReadConfig(path); err != nil {
			return nil, err
		}
		path = filepath.Join(path, tokenizerName)
	}
	source, err := env.ReadFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w; a model with another form (tokenizer.model, vocab.json) is converted in Python by "+
			"AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := Parse(source, settings)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return t, nil
}

// ReadConfig returns the tokenizer_config.json of a directory with the special tokens of its special_tokens_map.json where they count; nil
// if there is neither. As in transformers the map is read, and then decides, only where the config has no added_tokens_decoder: it
// is the older place of the same tokens.
func ReadConfig(dir string) ([]byte, error) {
	settings, err := readIfThere(filepath.Join(dir, configName))
	if err != nil {
		return nil, err
	}
	tokens, err := readIfThere(filepath.Join(dir, specialName))
	if err != nil || tokens == nil {
		return settings, err
	}
	merged := map[string]json.RawMessage{}
	if settings != nil {
		if err := json.Unmarshal(settings, &merged); err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", filepath.Join(dir, configName), describeJSON(err))
		}
		if decoder := merged["added_tokens_decoder"]; !isNull(decoder) {
			return settings, nil
		}
	}
	var special map[string]json.RawMessage
	if err := json.Unmarshal(tokens, &special); err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", filepath.Join(dir, specialName), describeJSON(err))
	}
	for name, token := range special {
		if !isNull(token) {
			merged[name] = token
		}
	}
	return marshal(merged), nil
}

// readIfThere returns nil for a file that does not exist.
func readIfThere(path string) ([]byte, error) {
	content, err := env.ReadFile(path, maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return content, nil
}

// file is a tokenizer.json. Its truncation and padding are not read: see the package comment.
type file struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	Model         json.RawMessage `json:"model"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
}

// Parse builds a tokenizer from the content of a tokenizer.json and of a tokenizer_config.json; the second may be nil.
func Parse(source, settings []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(source, &f); err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", tokenizerName, describeJSON(err))
	}
	var c config
	if settings != nil {
		if err := json.Unmarshal(settings, &c); err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", configName, describeJSON(err))
		}
		c.found = true
	}
	t := &Tokenizer{source: source, settings: settings}
	more, err := f.tokensOf(c)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", configName, err)
	}
	f.AddedTokens = append(f.AddedTokens, more...)
	if err := t.build(&f); err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", tokenizerName, err)
	}
	if err := t.apply(c); err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", configName, err)
	}
	return t, t.sum()
}

func describeJSON(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not valid JSON at byte %d (%w); fetch or write it again", syntax.Offset, err)
	}
	return err
}

func (t *Tokenizer) build(f *file) (err error) {
	if t.normalizer, err = parseNormalizer(f.Normalizer, 0, new(chain)); err != nil {
		return fmt.Errorf("normalizer: %w", err)
	}
	if t.preTokenizer, err = parsePreTokenizer(f.PreTokenizer, 0, new(chain)); err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	var bytes bool
	t.preTokenizer, bytes, err = usesBytes(t.preTokenizer)
	if err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	if err := t.buildModel(f.Model, bytes); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := t.addTokens(f.AddedTokens); err != nil {
		return fmt.Errorf("added_tokens: %w", err)
	}
	var around template
	if err := around.parsePostProcessor(f.PostProcessor, 0); err != nil {
		return fmt.Errorf("post_processor: %w", err)
	}
	t.before, t.after = around.before, around.after
	for _, ids := range [][]int{t.before, t.after} {
		for _, id := range ids {
			if !t.entry(id).exists {
				return fmt.Errorf("post_processor: found id %d, expected one of the vocabulary", id)
			}
		}
	}
	if t.decoder, err = parseDecoder(f.Decoder); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	return nil
}

// sum computes the hash. Of the config only what was read counts, so that a remark added to the file is not another tokenizer.
func (t *Tokenizer) sum() error {
	settings, err := json.Marshal(t.config)
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	h := sha256.New()
	h.Write(t.source)
	// A config that sets nothing still differs from none: without one BOS and EOS are guessed.
	fmt.Fprintf(h, "\x00%t", t.config.found)
	h.Write(settings)
	t.hash = hex.EncodeToString(h.Sum(nil))
	return nil
}

// config is what is read of a tokenizer_config.json, the file in which transformers keeps a tokenizer's settings.
type config struct {
	BOS            tokenName  `json:"bos_token"`
	EOS            tokenName  `json:"eos_token"`
	Unknown        tokenName  `json:"unk_token"`
	Separator      tokenName  `json:"sep_token"`
	Padding        tokenName  `json:"pad_token"`
	Class          tokenName  `json:"cls_token"`
	Mask           tokenName  `json:"mask_token"`
	Additional     tokenNames `json:"additional_special_tokens"`
	Extra          tokenNames `json:"extra_special_tokens"` // its name since transformers 5
	AddBOS         *bool      `json:"add_bos_token"`
	AddEOS         *bool      `json:"add_eos_token"`
	AddPrefixSpace *bool      `json:"add_prefix_space"`
	// Added lists the added tokens once more, by id: if they are not those of tokenizer.json the files do not belong together.
	Added map[string]addedToken `json:"added_tokens_decoder"`
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

// tokenNames are several tokens, in a list or under names of their own.
type tokenNames []tokenName

func (n *tokenNames) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, (*[]tokenName)(n)) == nil {
		return nil
	}
	var named map[string]tokenName
	if err := json.Unmarshal(raw, &named); err != nil {
		return errors.New(`expected a list of tokens, each "..." or {"content": "..."}`)
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		*n = append(*n, named[name])
	}
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
	t.bos, t.eos, t.unknown = absent, absent, t.model.unknownID()
	if id := t.find(c.Unknown); id != absent {
		t.unknown = id
	}
	if c.found {
		t.bos, t.eos = t.find(c.BOS), t.find(c.EOS)
	} else {
		t.bos, t.eos = t.usual(t.before, usualBOS), t.usual(t.after, usualEOS)
	}
	for _, id := range slices.Sorted(maps.Keys(c.Added)) {
		content := c.Added[id].Content
		if got := t.find(tokenName(content)); fmt.Sprint(got) != id {
			return fmt.Errorf("added_tokens_decoder: found %q with id %s, expected id %d as in tokenizer.json; the two files are not of one tokenizer", content, id, got)
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

// tokensOf returns the tokens that a config names and a tokenizer.json does not know as added: as in transformers they are added to it, behind
// the last id where the vocabulary has no such text.
func (f *file) tokensOf(c config) ([]addedToken, error) {
	known := map[string]bool{}
	for _, token := range f.AddedTokens {
		known[token.Content] = true
	}
	var more []addedToken
	add := func(token addedToken) {
		if token.Content != "" && !known[token.Content] {
			known[token.Content] = true
			token.named = true
			more = append(more, token)
		}
	}
	numbers := make(map[int]string, len(c.Added))
	for id := range c.Added {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("added_tokens_decoder: found the id %q, expected a number", id)
		}
		numbers[n] = id
	}
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		add(c.Added[numbers[n]])
	}
	for _, name := range append([]tokenName{c.BOS, c.EOS, c.Unknown, c.Separator, c.Padding, c.Class, c.Mask}, slices.Concat(c.Additional, c.Extra)...) {
		add(addedToken{Content: string(name), Special: true})
	}
	return more, nil
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
