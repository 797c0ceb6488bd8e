package emulate_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/emulate"
)

func Example() {
	spec := emulate.Released()
	fmt.Println(spec)
	fmt.Println(string(spec.JSON()), spec.Hash())
	for _, l := range []int{0, 1, 16, 31} {
		fmt.Printf("layer %2d of 32: gain %.4f\n", l, spec.Gain(l, 32))
	}
	// Output:
	// alpha 0.2, A_0 > 0.01 off the diagonal
	// {"alpha":0.2,"tau":0.01} b730e1de770e
	// layer  0 of 32: gain 1.0000
	// layer  1 of 32: gain 1.1935
	// layer 16 of 32: gain 1.0968
	// layer 31 of 32: gain 1.0000
}
