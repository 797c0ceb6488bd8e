package triton

import (
	"fmt"
	"strconv"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/customcall"
)

// Kernel is a kernel in Triton's intermediate representation: an MLIR module with one public function, whose parameters are pointers to the operands, row-major,
// and then to the results.
type Kernel struct {
	Name   string // of the function
	IR     string
	Grid   [3]int
	Warps  int // of 32 threads in a program
	Stages int // of the pipeline that loads the tiles to come
}

// target is the custom call that XLA compiles with its own Triton.
const target = "__gpu$xla.gpu.triton"

// config is the call's backend_config: a dictionary of MLIR attributes.
func (k Kernel) config() string {
	return fmt.Sprintf("{name = %s, ir = %s, num_stages = %d : i32, num_warps = %d : i32, grid_x = %d : i32, grid_y = %d : i32, grid_z = %d : i32, debug = false}",
		strconv.Quote(k.Name), strconv.Quote(k.IR), k.Stages, k.Warps, k.Grid[0], k.Grid[1], k.Grid[2])
}

// Call runs the kernel. Its results have the dimensions and dtypes of likes, and no gradient: asking for one panics.
func (k Kernel) Call(likes []*Node, operands ...*Node) []*Node {
	return customcall.Call(target, k.config(), likes, operands...)
}

// Constant writes a float32 as MLIR does.
func Constant(x float64) string { return fmt.Sprintf("%.9e", x) }
