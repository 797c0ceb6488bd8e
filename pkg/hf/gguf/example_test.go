package gguf_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/hf/gguf"
)

// Open a file and read one of its tensors.
func Example() {
	f, err := gguf.Open("testdata/quants.gguf")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	t, err := f.Tensor("Q4_K")
	if err != nil {
		log.Fatal(err)
	}
	values := t.Float32s()
	fmt.Println(t.Type, t.Shape, len(values))
	// Output: Q4_K [3 512] 1536
}
