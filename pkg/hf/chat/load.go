package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// ErrNoTemplate is a model without a chat template: a base model, which continues text.
var ErrNoTemplate = errors.New("no chat template")

// Load reads the chat template of a model's directory as transformers does: chat_template.jinja, else chat_template.json, else
// the chat_template of tokenizer_config.json (of several, the one named "default", and "tool_use" for conversations with tools); the special tokens are those of [tokenizer.ReadConfig].
func Load(dir string) (*Template, error) {
	var config map[string]json.RawMessage
	settings, err := tokenizer.ReadConfig(dir)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	if settings != nil {
		if err := json.Unmarshal(settings, &config); err != nil {
			return nil, fmt.Errorf("chat: %s is not valid JSON: %w", filepath.Join(dir, "tokenizer_config.json"), err)
		}
	}
	special := map[string]string{}
	addSpecial(special, config)

	sources, err := findSources(dir, config["chat_template"])
	if err != nil {
		return nil, err
	}
	t, err := New(sources[defaultName], special)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if source, ok := sources[toolUseName]; ok {
		if t.toolUse, err = New(source, special); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", dir, toolUseName, err)
		}
	}
	return t, nil
}

// The names of the templates of a model that has several: the one for tools is taken where a conversation has some.
const (
	defaultName = "default"
	toolUseName = "tool_use"
)

// findSources returns the templates of a directory by their names, a default one among them.
func findSources(dir string, inConfig json.RawMessage) (map[string]string, error) {
	text, err := env.ReadFile(filepath.Join(dir, "chat_template.jinja"), maxSource)
	if err == nil {
		sources := map[string]string{defaultName: string(text)}
		tools, err := env.ReadFile(filepath.Join(dir, "additional_chat_templates", toolUseName+".jinja"), maxSource)
		switch {
		case err == nil:
			sources[toolUseName] = string(tools)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("chat: %w", err)
		}
		return sources, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("chat: %w", err)
	}
	var file map[string]json.RawMessage
	path := filepath.Join(dir, "chat_template.json")
	if err := readJSON(path, &file); err != nil {
		return nil, err
	}
	if file != nil {
		return sourcesOf(path, file["chat_template"])
	}
	return sourcesOf(filepath.Join(dir, "tokenizer_config.json"), inConfig)
}

// sourcesOf reads a template, or a list of named templates.
func sourcesOf(path string, member json.RawMessage) (map[string]string, error) {
	if len(member) == 0 || string(member) == "null" {
		return nil, fmt.Errorf("chat: %s: %w: a base model continues text; give it the text itself, or use the model's instruction-tuned variant", path, ErrNoTemplate)
	}
	var source string
	if json.Unmarshal(member, &source) == nil {
		return map[string]string{defaultName: source}, nil
	}
	var named []struct{ Name, Template string }
	if err := json.Unmarshal(member, &named); err != nil {
		return nil, fmt.Errorf("chat: %s: chat_template is neither a text nor a list of named templates", path)
	}
	sources := map[string]string{}
	for _, n := range named {
		sources[n.Name] = n.Template
	}
	if _, ok := sources[defaultName]; !ok {
		return nil, fmt.Errorf("chat: %s: chat_template holds %s, expected one named default", path, strings.Join(slices.Sorted(maps.Keys(sources)), ", "))
	}
	return sources, nil
}

// addSpecial takes what is a token, written as a text or as an object with content, under a name that ends in _token.
func addSpecial(special map[string]string, config map[string]json.RawMessage) {
	for name, member := range config {
		if !strings.HasSuffix(name, "_token") {
			continue
		}
		var token string
		var object struct {
			Content *string `json:"content"`
		}
		switch {
		case string(member) == "null":
		case json.Unmarshal(member, &token) == nil:
			special[name] = token
		case json.Unmarshal(member, &object) == nil && object.Content != nil:
			special[name] = *object.Content
		}
	}
}

// readJSON leaves v alone if there is no such file.
func readJSON(path string, v any) error {
	text, err := env.ReadFile(path, 4*maxSource)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("chat: %s is not valid JSON: %w", path, err)
	}
	return nil
}
