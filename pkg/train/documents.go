package train

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// Documents turns texts into documents to train on: each begins with the tokenizer's BOS, where its file says so, and ends with
// its EOS, where it has one. A document longer than positions tokens and one label is an error that names it.
func Documents(tok *tokenizer.Tokenizer, texts []string, positions int) (Memory, error) {
	eos, hasEOS := tok.EOS()
	docs := make(Memory, len(texts))
	for i, text := range texts {
		ids := tok.Encode(text)
		if hasEOS {
			ids = append(ids, eos)
		}
		if len(ids) > positions+1 {
			return nil, fmt.Errorf("text %d has %d tokens, more than the %d positions and one label: split it", i, len(ids), positions)
		}
		docs[i].Tokens = make([]int32, len(ids))
		for k, id := range ids {
			docs[i].Tokens[k] = int32(id)
		}
	}
	return docs, nil
}
