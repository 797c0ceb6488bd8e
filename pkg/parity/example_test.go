package parity_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
)

// What must hold of any model, without a reference.
func ExampleSelf() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	rows, err := parity.Self(m, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range rows {
		fmt.Println(row.Passed(), row.Tensor)
	}
	// Output:
	// true rows sum to one
	// true future unseen
	// true padding
	// true batch mates
	// true change by one
	// true change, layer 4
	// true decode
	// true decode, released
}

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
