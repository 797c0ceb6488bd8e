package customcall_test

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/customcall"
)

// On one device a part of a graph that each device computes on its own pieces is that part.
func ExamplePerDevice() {
	dev, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	fmt.Println(MustExecOnce(dev, func(x *Node) *Node {
		return customcall.PerDevice([]customcall.Operand{{Node: x, Axis: 0}}, []int{0}, func(pieces []*Node) []*Node {
			return []*Node{Square(pieces[0])}
		})[0]
	}, []float32{1, 2, 3}))
	// Output: [3]float32{1, 4, 9}
}
