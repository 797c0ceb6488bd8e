package train

import (
	"iter"

	"github.com/gomlx/gomlx/core/tensors"
	mltrain "github.com/gomlx/gomlx/ml/train"
)

// counted counts the real tokens that pass.
type counted struct {
	*batches
	tokens int
}

func (c *counted) Iter() iter.Seq2[mltrain.Batch, error] {
	return func(yield func(mltrain.Batch, error) bool) {
		for b, err := range c.batches.Iter() {
			tensors.MustConstFlatData(b.Labels[1], func(w []float32) {
				for _, x := range w {
					c.tokens += int(x)
				}
			})
			if !yield(b, err) {
				return
			}
		}
	}
}
