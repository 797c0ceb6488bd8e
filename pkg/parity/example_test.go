package parity_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
)

// A tiny checkpoint beside what transformers computed with it.
func ExampleCompare() {
	m, err := model.Load("../../testdata/reference/llama", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	reference, err := safetensors.Open("../../testdata/reference/llama/reference.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer reference.Close()
	rows, err := parity.Compare(m, reference, nil)
	if err != nil {
		log.Fatal(err)
	}
	passed := 0
	for _, row := range rows {
		if row.Passed() {
			passed++
		}
	}
	fmt.Println("all tensors agree:", len(rows) > 0 && passed == len(rows))
	// Output:
	// all tensors agree: true
}
