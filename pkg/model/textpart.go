package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Checkpoints that read images have a text model inside, which is opened alone: text_config describes it, and its tensors have names of their own.

// multimodal are the model types whose text part is read: in these it computes on text alone what it does in the whole.
var multimodal = []string{"gemma3", "gemma4", "llava", "mistral3"}

// textConfig is the config.json of the text part: text_config, with the special tokens and the quantisation of the whole where it has none, and the head of the whole.
func textConfig(f *fields, modelType string) ([]byte, error) {
	text := f.object("text_config")
	if text == nil {
		return nil, fmt.Errorf("text_config is absent, expected it to describe the text part of a %s", modelType)
	}
	inner := maps.Clone(text.values)
	for _, name := range []string{"bos_token_id", "eos_token_id", "pad_token_id", "quantization_config"} {
		if v, ok := f.values[name]; ok && inner[name] == nil {
			inner[name] = v
		}
	}
	// The head belongs to the whole, and so does the word on whether it is the embedding: it is where nothing is said. In llava the text's word counts beside it.
	if tied := f.boolean(modelType != "llava", "tie_word_embeddings"); tied || modelType != "llava" {
		inner["tie_word_embeddings"] = []byte(strconv.FormatBool(tied))
	}
	return json.Marshal(inner)
}

// textPart is a source of the text part's tensors, under the names that they have in a model of text alone.
type textPart struct {
	source
	stored map[string]string
}

// textPrefixes are how checkpoints begin the names of the text part's tensors, and what stands there in a model of text alone.
var textPrefixes = []struct{ from, to string }{
	{"language_model.", ""},             // as published
	{"model.language_model.", "model."}, // as transformers 5 writes them
	{"lm_head.", "lm_head."},
}

// newTextPart also says what was left: how many tensors of which parts.
func newTextPart(src source) (t textPart, left string) {
	t = textPart{source: src, stored: map[string]string{}}
	others := map[string]int{}
	for _, name := range src.Names() {
		found := false
		for _, p := range textPrefixes {
			if rest, ok := strings.CutPrefix(name, p.from); ok {
				t.stored[p.to+rest], found = name, true
				break
			}
		}
		if !found {
			part, _, _ := strings.Cut(strings.TrimPrefix(name, "model."), ".")
			others[part]++
		}
	}
	var parts []string
	for _, part := range slices.Sorted(maps.Keys(others)) {
		parts = append(parts, fmt.Sprintf("%s (%d tensors)", part, others[part]))
	}
	return t, strings.Join(parts, ", ")
}

// Names, Shape, Tensor and Forget speak of the text part's names.
func (t textPart) Names() []string { return slices.Sorted(maps.Keys(t.stored)) }

func (t textPart) Shape(name string) ([]int, error) { return t.source.Shape(t.name(name)) }

func (t textPart) Tensor(name string) (safetensors.Tensor, error) {
	x, err := t.source.Tensor(t.name(name))
	if err == nil {
		x.Name = name
	}
	return x, err
}

func (t textPart) Forget(name string) { t.source.Forget(t.name(name)) }

// name is what the file calls a tensor; an unknown one keeps its name, for the error.
func (t textPart) name(name string) string {
	if stored, ok := t.stored[name]; ok {
		return stored
	}
	return name
}

// Identity tells the files and that their text part is read.
func (t textPart) Identity() string { return "text part\n" + identity(t.source) }

// ModTime is that of the files.
func (t textPart) ModTime() time.Time { return modTime(t.source) }
