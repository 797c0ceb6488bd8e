package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of a tokenizer in a model directory.
const (
	tokenizerName = "tokenizer.json"
	configName    = "tokenizer_config.json"
)

// Load reads a tokenizer.json, or the one in a directory together with its tokenizer_config.json, of which add_bos_token, add_eos_token,
// bos_token, eos_token and add_prefix_space are honoured. What the file asks for and this package does not do is an error
// with its name.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	var settings []byte
	if info.IsDir() {
		settings, err = os.ReadFile(filepath.Join(path, configName))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
		path = filepath.Join(path, tokenizerName)
	}
	source, err := os.ReadFile(path)
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
	if t.normalizer, err = parseNormalizer(f.Normalizer, 0); err != nil {
		return fmt.Errorf("normalizer: %w", err)
	}
	if t.preTokenizer, err = parsePreTokenizer(f.PreTokenizer, 0); err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	bytes, err := usesBytes(t.preTokenizer)
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
