package train_test

import (
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/train"
)

func TestShotsJoinDocumentsUnderOneBOS(t *testing.T) {
	of := train.Memory{
		{Tokens: []int32{1, 10, 11, 2}, Weights: []float32{0, 1, 4, 1}},
		{Tokens: []int32{1, 12, 2}},
		{Tokens: []int32{1, 13, 14, 2}, Weights: []float32{0, 1, 4, 1}},
	}
	s := train.Shots{Source: of, N: 2, BOS: 1, EOS: 2}
	if s.Len() != 2 {
		t.Fatalf("%d documents, want 2", s.Len())
	}
	for i, want := range []train.Document{
		{Tokens: []int32{1, 10, 11, 12, 2}, Weights: []float32{0, 1, 4, 1, 1}},
		{Tokens: []int32{1, 13, 14, 2}, Weights: []float32{0, 1, 4, 1}},
	} {
		got, err := s.Document(i)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Tokens, want.Tokens) || !slices.Equal(got.Weights, want.Weights) {
			t.Errorf("document %d: %v %v, want %v %v", i, got.Tokens, got.Weights, want.Tokens, want.Weights)
		}
	}
	lengths := map[int]bool{}
	long := make(train.Memory, 40)
	for i := range long {
		long[i].Tokens = []int32{1, 10, 11, 12, 13, 2}
	}
	for i := range 20 {
		d, err := train.Shots{Source: long, N: 2, Crop: true, BOS: 1, EOS: 2}.Document(i)
		if err != nil {
			t.Fatal(err)
		}
		n := len(d.Tokens)
		if d.Tokens[0] != 1 || !slices.Equal(d.Tokens[n-6:], []int32{13, 10, 11, 12, 13, 2}) || len(d.Weights) != n {
			t.Errorf("cropped document %d: %v", i, d)
		}
		lengths[n] = true
	}
	if len(lengths) != 4 {
		t.Errorf("cropped documents have %d lengths, expected 4", len(lengths))
	}
	if _, err := (train.Shots{Source: of}).Document(0); err == nil {
		t.Error("zero documents in one: no error")
	}
}
