package worker

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/hf/chat"
	"github.com/attune-lab/attune/pkg/hf/gguf"
	"github.com/attune-lab/attune/pkg/hf/hub"
)

// chatTemplate is that of the request's model: of its directory, or of the metadata of a GGUF file.
func (j *job) chatTemplate(ctx context.Context) (*chat.Template, error) {
	path, err := j.path("model", j.Options.Model)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, hub.Scheme) {
		if path, _, err = hub.Resolve(ctx, path, hub.Options{}); err != nil {
			return nil, err
		}
	}
	if !strings.EqualFold(filepath.Ext(path), ".gguf") {
		return chat.Load(path)
	}
	beside, err := chat.Load(filepath.Dir(path))
	if !errors.Is(err, chat.ErrNoTemplate) {
		return beside, err
	}
	weights, err := gguf.OpenCheckpoint(path)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	_, settings, err := weights.Tokenizer()
	if err != nil {
		return nil, err
	}
	special := map[string]string{}
	var all map[string]any
	if err := json.Unmarshal(settings, &all); err != nil {
		return nil, err
	}
	for name, value := range all {
		if token, ok := value.(string); ok && strings.HasSuffix(name, "_token") {
			special[name] = token
		}
	}
	source, ok := all["chat_template"].(string)
	if !ok {
		return nil, chat.ErrNoTemplate
	}
	return chat.New(source, special)
}
