package train

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

func TestEpochsCoverTheDocuments(t *testing.T) {
	var docs [][]int
	for i := range 103 {
		docs = append(docs, make([]int, 5+i%30))
	}
	b := &batches{docs: docs, size: 10, bucket: 8, seed: 1}
	for epoch := range uint64(3) {
		seen := map[int]int{}
		for _, rows := range b.epoch(epoch) {
			if len(rows) != 10 {
				t.Fatalf("a batch of %d rows", len(rows))
			}
			for _, r := range rows {
				seen[r]++
			}
		}
		if len(seen) != 100 {
			t.Errorf("epoch %d shows %d documents of 103 in batches of 10, expected 100", epoch, len(seen))
		}
		for r, n := range seen {
			if n != 1 {
				t.Errorf("epoch %d shows document %d %d times", epoch, r, n)
			}
		}
	}
	if slices.EqualFunc(b.epoch(0), b.epoch(1), slices.Equal) {
		t.Error("two epochs have the same order")
	}
}

func TestBatchPredictsEachNextTokenOnce(t *testing.T) {
	b := &batches{docs: [][]int{{1, 10, 11}, {1, 20, 21, 22, 23}}, size: 2, bucket: 3}
	batch := b.batch([]int{0, 1})
	flat := func(i int) []int32 { return tensors.MustCopyFlatData[int32](batch.Labels[i]) }
	if got, want := tensors.MustCopyFlatData[int32](batch.Inputs[0]), []int32{1, 10, 0, 0, 0, 0, 1, 20, 21, 22, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("inputs %v, expected %v", got, want)
	}
	if got, want := flat(0), []int32{10, 11, 0, 0, 0, 0, 20, 21, 22, 23, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("labels %v, expected %v", got, want)
	}
	if got, want := tensors.MustCopyFlatData[float32](batch.Labels[1]), []float32{1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("weights %v, expected %v", got, want)
	}
}
