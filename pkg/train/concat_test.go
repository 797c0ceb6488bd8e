package train_test

import (
	"testing"

	"github.com/attune-lab/attune/pkg/train"
)

func TestConcatCountsThroughItsSources(t *testing.T) {
	one := func(tokens ...int32) train.Document { return train.Document{Tokens: tokens} }
	c := train.Concat{train.Memory{one(1, 2), one(3, 4)}, train.Memory{}, train.Memory{one(5, 6)}}
	if c.Len() != 3 {
		t.Fatalf("%d documents, expected 3", c.Len())
	}
	for i, want := range []int32{1, 3, 5} {
		d, err := c.Document(i)
		if err != nil || d.Tokens[0] != want {
			t.Errorf("document %d begins with %v (%v), expected %d", i, d.Tokens, err, want)
		}
	}
	if _, err := c.Document(3); err == nil {
		t.Error("document 3 of 3 is not an error")
	}
}
