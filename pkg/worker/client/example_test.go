package client_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/worker/client"
)

// A wrong value is found before anything is loaded, by the name of its parameter.
func ExampleOptions_Check() {
	o := client.Options{Model: "hf:owner/name", DType: "float23"}
	fmt.Println(o.Check(nil))
	// Output: parameter dtype="float23": expected auto, float32, bfloat16; did you mean "float32"?
}
