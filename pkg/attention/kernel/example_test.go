package kernel_test

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/backend"
)

// A mask of three queries and three keys, the diagonal and the first key, takes a row of two words: a tile of keys is the least that the kernel reads.
func ExamplePack() {
	dev, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	mask := [][][][]bool{{{{true, false, false}, {true, true, false}, {true, false, true}}}}
	bits := MustExecOnce(dev, func(mask *Node) *Node { return kernel.Pack(mask, 3) }, mask)
	fmt.Println(bits.Shape())
	for _, row := range bits.Value().([][][][]int32)[0][0] {
		fmt.Printf("%03b\n", row[0])
	}
	// Output:
	// (Int32)[1, 1, 3, 2]
	// 001
	// 011
	// 101
}
