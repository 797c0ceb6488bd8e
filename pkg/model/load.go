package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/hf/gguf"
	"github.com/attune-lab/attune/pkg/hf/hub"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// Load opens a model:
//
//   - a Hugging Face directory: config.json, safetensors weights and, if there is one, tokenizer.json;
//   - a GGUF file, or a directory that has one and no safetensors: the file's metadata is the configuration, and the tokenizer unless a tokenizer.json lies beside it;
//   - hf:owner/name[@revision], which stands for the directory in the hub's cache, fetched if it is not there (see package hub).
//
// Errors name the file, the tensor or field, what was found and what was expected: a missing or truncated weights file, a
// missing tensor or one of another shape, a NaN among the weights, an unknown model_type, a field of config.json that would change the arithmetic and is not understood.
// What is odd and harmless is in Warnings.
func Load(ref string, opts Options) (*Model, error) {
	path, origin := ref, ""
	if strings.HasPrefix(ref, hub.Scheme) {
		found, info, err := hub.Resolve(context.Background(), ref, hub.Options{Progress: opts.Download})
		if err != nil {
			return nil, err
		}
		path, origin = found, info.String()
	}
	cp, err := openCheckpoint(path)
	if err != nil {
		return nil, err
	}
	defer cp.weights.Close()
	m, err := cp.load(opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if origin != "" {
		m.Source = origin
	}
	if opts.Adapter != "" {
		if err := m.LoadAdapter(opts.Adapter); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// checkpoint is a model's files, opened.
type checkpoint struct {
	config    *Config
	tokenizer *tokenizer.Tokenizer // nil = none
	weights   source
	kind      string // what Model.Source says
	warnings  []string
}

// source is what weights are read from: a safetensors file, several with an index, or a GGUF file.
type source interface {
	Names() []string
	Shape(name string) ([]int, error)
	Tensor(name string) (safetensors.Tensor, error)
	Forget(name string)
	io.Closer
}

func openCheckpoint(path string) (*checkpoint, error) {
	file, err := ggufFile(path)
	switch {
	case err != nil:
		return nil, err
	case file != "":
		return openGGUF(file)
	}
	c, err := LoadConfig(path)
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		tok = nil
	} else if err != nil {
		return nil, err
	}
	weights, err := safetensors.OpenDir(path)
	if err != nil {
		return nil, err
	}
	cp := &checkpoint{config: c, tokenizer: tok, weights: weights, kind: "directory"}
	if c.within != "" {
		text, left := newTextPart(weights)
		cp.weights = text
		cp.warn("the text part of a %s is read; left: %s", c.within, left)
	}
	if c.quantised.method != "" {
		cp.weights = dequantise(cp.weights, c.quantised)
		cp.warn("the checkpoint is quantised (%s): its weights are dequantised on reading", c.quantised.method)
	}
	if hasStacked(cp.weights) {
		a, err := c.describe()
		if err != nil {
			return nil, errors.Join(err, weights.Close())
		}
		cp.weights = unstack(cp.weights, a)
	}
	return cp, nil
}

// ggufFile is the GGUF file that a path means: itself, or the only one of a directory without safetensors; empty for none.
func ggufFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", nil // config.json's error says what a model's directory holds
	case !info.IsDir() && strings.EqualFold(filepath.Ext(path), ".gguf"):
		return path, nil
	case !info.IsDir():
		return "", fmt.Errorf("%s: found a file, expected a model's directory or a GGUF file", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		switch {
		case safetensors.IsWeights(e.Name()):
			return "", nil
		case strings.EqualFold(filepath.Ext(e.Name()), ".gguf"):
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return filepath.Join(path, found[0]), nil
	}
	return "", fmt.Errorf("%s: found %d GGUF files (%s), expected one: name the file", path, len(found), strings.Join(found, ", "))
}

func openGGUF(path string) (*checkpoint, error) {
	weights, err := gguf.OpenCheckpoint(path)
	if err != nil {
		return nil, err
	}
	cp, err := describeGGUF(weights)
	if err != nil {
		weights.Close()
		return nil, err
	}
	return cp, nil
}

func describeGGUF(weights *gguf.Checkpoint) (*checkpoint, error) {
	data, err := weights.Config()
	if err != nil {
		return nil, err
	}
	c, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", weights.Path(), err)
	}
	cp := &checkpoint{config: c, weights: weights, kind: "gguf, " + weights.Describe()}
	dir := filepath.Dir(weights.Path())
	cp.tokenizer, err = tokenizer.Load(dir)
	switch {
	case err == nil:
		if err := sameVocabulary(cp.tokenizer, weights.Tokens()); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "tokenizer.json"), err)
		}
		return cp, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	source, settings, err := weights.Tokenizer()
	if err == nil {
		cp.tokenizer, err = tokenizer.Parse(source, settings)
	}
	if err != nil {
		cp.tokenizer = nil
		cp.warnings = append(cp.warnings, fmt.Sprintf("no tokenizer: %v", err))
	}
	return cp, nil
}

// sameVocabulary refuses a tokenizer.json that lies beside a GGUF file and belongs to another model.
func sameVocabulary(tok *tokenizer.Tokenizer, tokens []string) error {
	for id, token := range tokens {
		if id <= tok.MaxID() && tok.Piece(id) != "" && tok.Piece(id) != token {
			return fmt.Errorf("token %d is %q, expected %q as in the GGUF file beside it: it belongs to another model", id, tok.Piece(id), token)
		}
	}
	return nil
}

// load makes the model.
func (cp *checkpoint) load(opts Options) (*Model, error) {
	switch opts.RoundWeights {
	case dtypes.InvalidDType, dtypes.Float32:
	case dtypes.BFloat16:
		cp.weights = rounded{cp.weights}
	default:
		return nil, fmt.Errorf("weights are rounded to bfloat16 on reading or stay as they are, found %s", opts.RoundWeights)
	}
	if tok := cp.tokenizer; tok != nil {
		if err := tok.CheckVocab(cp.config.VocabSize); err != nil {
			cp.warn("tokenizer.json: %v; such a token is refused by every pass", err)
		}
	}
	if err := cp.untie(); err != nil {
		return nil, err
	}
	m, err := newModel(cp.config, opts)
	if err != nil {
		return nil, err
	}
	if m.wantsInputMajor() {
		m.arch, m.inputMajor = m.arch.inputMajor()
	}
	values, hash, err := m.readWeights(cp.weights)
	if err != nil {
		return nil, m.fit(err)
	}
	m.Tokenizer, m.Hash, m.Source, m.Warnings = cp.tokenizer, hash, cp.kind, append(cp.warnings, m.Warnings...)
	return m, m.fit(m.setWeights(values))
}

func (cp *checkpoint) warn(format string, args ...any) {
	cp.warnings = append(cp.warnings, fmt.Sprintf(format, args...))
}

// untie takes the head that a file has beside the embedding that config.json ties it to, where the two differ, as transformers does.
func (cp *checkpoint) untie() error {
	if !cp.config.TieEmbeddings {
		return nil
	}
	a, err := cp.config.describe()
	if err != nil {
		return err
	}
	names := cp.weights.Names()
	embed := a.embed
	if !slices.Contains(names, embed) {
		embed = strings.TrimPrefix(embed, a.prefix)
	}
	if !slices.Contains(names, a.head) || !slices.Contains(names, embed) {
		return nil
	}
	head, err := cp.weights.Tensor(a.head)
	if err != nil {
		return err
	}
	embedding, err := cp.weights.Tensor(embed)
	if err != nil {
		return err
	}
	if equalTensors(head, embedding) {
		return nil
	}
	cp.warn("config.json ties the output head to the embedding (tie_word_embeddings), but the file's %s and %s differ: the file's head is used", a.head, embed)
	return cp.config.set("tie_word_embeddings", false)
}

// equalTensors compares values; tensors that cannot be read are left to the reader of weights.
func equalTensors(a, b safetensors.Tensor) bool {
	if a.DType == b.DType || !slices.Equal(a.Shape, b.Shape) {
		return slices.Equal(a.Shape, b.Shape) && string(a.Data) == string(b.Data)
	}
	x, err := a.Float32s()
	y, err2 := b.Float32s()
	return err == nil && err2 == nil && slices.Equal(x, y)
}

// set changes a field of the configuration as it was read.
func (c *Config) set(name string, value any) error {
	f, err := newFields(c.raw)
	if err != nil {
		return err
	}
	if f.values[name], err = json.Marshal(value); err != nil {
		return err
	}
	data, err := json.Marshal(f.values)
	if err != nil {
		return err
	}
	changed, err := ParseConfig(data)
	if err != nil {
		return err
	}
	changed.EOS = c.EOS // may come from generation_config.json
	*c = *changed
	return nil
}

// rounded is a source whose weights are rounded to bfloat16.
type rounded struct{ source }

// Identity tells the files and that they are rounded.
func (r rounded) Identity() string { return "rounded\n" + identity(r.source) }

// ModTime is that of the files.
func (r rounded) ModTime() time.Time { return modTime(r.source) }

func (r rounded) Tensor(name string) (safetensors.Tensor, error) {
	t, err := r.source.Tensor(name)
	if err != nil || t.DType == "BF16" {
		return t, err
	}
	values, err := t.Float32s()
	if err != nil {
		return t, err
	}
	return safetensors.FromBFloat16(t.Name, t.Shape, values), nil
}
