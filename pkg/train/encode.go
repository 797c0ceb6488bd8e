package train

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// Encoder turns texts of sections into documents with a weight for each token.
type Encoder struct {
	Tokenizer *tokenizer.Tokenizer
	Mask      corpus.Mask // what counts in the loss; the zero value counts all
}

// Encode tokenizes a text as [Documents] does: BOS where the tokenizer's file says so, EOS at the end where it has one. A token counts if all of
// its bytes lie in sections that the mask counts; EOS counts if the last section does.
func (e Encoder) Encode(text corpus.Text) (Document, error) {
	tokens := e.Tokenizer.Tokens(text.Text, true)
	if eos, has := e.Tokenizer.EOS(); has && (len(tokens) == 0 || tokens[len(tokens)-1].ID != eos) {
		tokens = append(tokens, tokenizer.Token{ID: eos, Start: len(text.Text), End: len(text.Text), Special: true})
	}
	doc := Document{Tokens: make([]int32, len(tokens))}
	offsets := make([][2]int, len(tokens))
	for i, t := range tokens {
		doc.Tokens[i], offsets[i] = int32(t.ID), [2]int{t.Start, t.End}
	}
	var err error
	if doc.Weights, err = e.Mask.TokenWeights(text, offsets); err != nil {
		return Document{}, fmt.Errorf("text %s: %w", text.ID, err)
	}
	return doc, nil
}

// Items is a source of items in memory, encoded when they are asked for.
type Items struct {
	List     []corpus.Item
	Template *corpus.Template
	Encoder  Encoder
}

// Len is how many items there are.
func (s Items) Len() int { return len(s.List) }

// Document renders and encodes an item.
func (s Items) Document(i int) (Document, error) {
	text, err := s.Template.Render(s.List[i].Row())
	if err != nil {
		return Document{}, fmt.Errorf("item %s: %w", s.List[i].ID, err)
	}
	return s.Encoder.Encode(text)
}
