package train

import (
	"fmt"
	"math/rand/v2"
)

// Shots is a source that joins documents of another, N after one another in its order, under the first one's BOS and before the last one's EOS: items as
// few-shot prompts put them. The last document has what is left.
type Shots struct {
	Source   Source
	N        int   // documents in one
	Crop     bool  // leave out a random number of the first one's tokens: documents then begin anywhere, as windows of running text do, and only BOS is the same in all
	BOS, EOS int32 // what stands between two documents and is left out; negative = none
}

// Len is how many joined documents there are.
func (s Shots) Len() int { return (s.Source.Len() + s.N - 1) / s.N }

// Document joins N documents.
func (s Shots) Document(i int) (Document, error) {
	if s.N < 1 {
		return Document{}, fmt.Errorf("documents of %d others: at least one is needed", s.N)
	}
	var out Document
	first, end := i*s.N, min((i+1)*s.N, s.Source.Len())
	for k := first; k < end; k++ {
		d, err := s.Source.Document(k)
		if err != nil {
			return Document{}, err
		}
		tokens, weights := d.Tokens, d.Weights
		if weights == nil {
			weights = make([]float32, len(tokens))
			for j := range weights {
				weights[j] = 1
			}
		}
		begins := len(tokens) > 0 && tokens[0] == s.BOS
		if begins && k == first {
			out.Tokens, out.Weights = append(out.Tokens, tokens[0]), append(out.Weights, weights[0])
		}
		if begins {
			tokens, weights = tokens[1:], weights[1:]
		}
		if n := len(tokens); k < end-1 && n > 0 && tokens[n-1] == s.EOS {
			tokens, weights = tokens[:n-1], weights[:n-1]
		}
		if s.Crop && k == first && len(tokens) > 0 {
			n := rand.New(rand.NewPCG(uint64(i), uint64(len(tokens)))).IntN(len(tokens))
			tokens, weights = tokens[n:], weights[n:]
		}
		out.Tokens, out.Weights = append(out.Tokens, tokens...), append(out.Weights, weights...)
	}
	return out, nil
}
