package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Write two tensors and read one back.
func Example() {
	dir, err := os.MkdirTemp("", "safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")

	err = safetensors.Write(path, []safetensors.Tensor{
		safetensors.FromFloat32s("attention", []int{2, 2}, []float32{1, 0, 0.25, 0.75}),
		safetensors.FromInt32s("input_ids", []int{2}, []int32{1, 403}),
	}, map[string]string{"recipe": "quickstart"})
	if err != nil {
		log.Fatal(err)
	}

	file, err := safetensors.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	fmt.Println(file.Names(), file.Metadata())
	tensor, err := file.Tensor("attention")
	if err != nil {
		log.Fatal(err)
	}
	values, err := tensor.Float32s()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tensor.DType, tensor.Shape, values)
	// Output:
	// [attention input_ids] map[recipe:quickstart]
	// F32 [2 2] [1 0 0.25 0.75]
}
