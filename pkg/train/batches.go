package train

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	mltrain "github.com/gomlx/gomlx/ml/train"
)

// batches yields documents for ever: each epoch shuffled with the seed, then grouped so that a batch holds documents of similar
// length, then the batches shuffled. Every row is one document; padding has weight 0.
type batches struct {
	docs   [][]int
	size   int // rows per batch
	bucket int // padded lengths are multiples of it
	seed   uint64
}

// Name implements GoMLX's train.Dataset.
func (b *batches) Name() string { return "documents" }

// Iter implements GoMLX's train.Dataset.
func (b *batches) Iter() iter.Seq2[mltrain.Batch, error] {
	return func(yield func(mltrain.Batch, error) bool) {
		for epoch := uint64(0); ; epoch++ {
			for _, rows := range b.epoch(epoch) {
				if !yield(b.batch(rows), nil) {
					return
				}
			}
		}
	}
}

// epoch lists the batches of one pass over the documents, as indices. Documents that do not fill a last batch wait for the next epoch's order.
func (b *batches) epoch(epoch uint64) [][]int {
	rng := rand.New(rand.NewPCG(b.seed, epoch))
	order := rng.Perm(len(b.docs))
	// Sorting by padded length is stable, so within a length the order stays random.
	slices.SortStableFunc(order, func(i, j int) int { return b.width(b.docs[i]) - b.width(b.docs[j]) })
	// Starting at a random offset, another few documents are left over each epoch.
	skip := rng.IntN(len(order)%b.size + 1)
	groups := slices.Collect(slices.Chunk(order[skip:], b.size))
	if n := len(groups); len(groups[n-1]) < b.size {
		groups = groups[:n-1]
	}
	rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	return groups
}

// width is the padded number of inputs of a document, whose last token is only a label.
func (b *batches) width(doc []int) int { return (len(doc) - 2 + b.bucket) / b.bucket * b.bucket }

// batch lays rows out: inputs int32 [rows, width]; labels int32 [rows, width] and weights float32 [rows, width].
func (b *batches) batch(rows []int) mltrain.Batch {
	width := 0
	for _, r := range rows {
		width = max(width, b.width(b.docs[r]))
	}
	n := len(rows) * width
	in, labels, weights := make([]int32, n), make([]int32, n), make([]float32, n)
	for i, r := range rows {
		doc := b.docs[r]
		for k := range len(doc) - 1 {
			in[i*width+k], labels[i*width+k], weights[i*width+k] = int32(doc[k]), int32(doc[k+1]), 1
		}
	}
	t := func(v []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, len(rows), width) }
	return mltrain.Batch{Inputs: []*tensors.Tensor{t(in)}, Labels: []*tensors.Tensor{t(labels), tensors.FromFlatDataAndDimensions(weights, len(rows), width)}}
}

func (b *batches) validate(vocab, positions int) error {
	if len(b.docs) < b.size {
		return fmt.Errorf("training needs at least one batch: %d documents for batches of %d", len(b.docs), b.size)
	}
	for i, d := range b.docs {
		if len(d) < 2 {
			return fmt.Errorf("document %d has %d tokens, expected 2 or more: a next-token loss needs a next token", i, len(d))
		}
		if len(d)-1 > positions {
			return fmt.Errorf("document %d has %d tokens, more than the model's %d positions and one label: split it", i, len(d), positions)
		}
		for k, id := range d {
			if id < 0 || id >= vocab {
				return fmt.Errorf("document %d: token %d is id %d, outside the vocabulary of %d", i, k, id, vocab)
			}
		}
	}
	return nil
}
