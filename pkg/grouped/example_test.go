package grouped_test

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/grouped"
)

// Four tokens go through two of three experts each: eight places, of which the first expert has five, the second none and the third three.
func Example() {
	dev, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	MustExecOnce(dev, func(g *Graph) *Node {
		x := Zeros(g, shapes.Make(dtypes.BFloat16, 4, 64))
		s := grouped.Segments{Index: Const(g, []int32{0, 1, 2, 3, 3, 0, 1, 2}), Starts: Const(g, []int32{0, 5, 5}), Counts: Const(g, []int32{5, 0, 3})}
		w := grouped.Weights{Matrices: Zeros(g, shapes.Make(dtypes.BFloat16, 3, 64, 256))}
		if err := grouped.Available(x, s, w); err != nil {
			fmt.Println(err)
			return x
		}
		y := grouped.Product(x, s, w) // bfloat16 [8, 256]
		return y
	})
	// Output: grouped product: it needs xla:cuda, this is Go Backend
}
