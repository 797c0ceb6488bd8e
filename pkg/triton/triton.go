package triton

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/stablehlo"
	"github.com/gomlx/go-xla/types/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
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
//
// GoMLX (v0.28.8) has no operation for a custom call. go-xla (v0.4.5) has one on its StableHLO values, which a graph's nodes keep to themselves. So they are
// taken out of the operands' nodes by reflection, and each result is put in the place of an Identity's.
func (k Kernel) Call(likes []*Node, operands ...*Node) []*Node {
	values := make([]*stablehlo.Value, len(operands))
	for i, x := range operands {
		value := valueOf(InternalBackendOutputs(x)[0])
		if value == nil {
			exceptions.Panicf("kernel %s: operand %d is not a value of this version of go-xla", k.Name, i)
		}
		values[i] = *value
	}
	results := make([]shapes.Shape, len(likes))
	for i, like := range likes {
		results[i] = shapes.Make(like.DType(), like.Shape().Dimensions...)
	}
	rowMajor := func(n int) [][]int { return make([][]int, n) }
	computed, err := stablehlo.CustomCallV2(target, k.config(), values, rowMajor(len(values)), results, rowMajor(len(results)))
	if err != nil {
		panic(err)
	}
	out := make([]*Node, len(likes))
	for i, like := range likes {
		out[i] = IdentityWithCustomGradient(like, func(_, _ *Node) *Node {
			exceptions.Panicf("kernel %s has no gradient", k.Name)
			return nil
		})
		outputs := InternalBackendOutputs(out[i])
		own := reflect.New(reflect.TypeOf(outputs[0]).Elem()) // an Identity's value is its operand's, which stays as it is
		own.Elem().Set(reflect.ValueOf(outputs[0]).Elem())
		outputs[0] = own.Interface().(compute.Value)
		*valueOf(outputs[0]) = computed[i]
	}
	return out
}

// valueOf is where a backend's value keeps that of StableHLO; nil where it keeps none, or not where go-xla v0.4.5 does.
func valueOf(v compute.Value) **stablehlo.Value {
	x := reflect.ValueOf(v)
	if x.Kind() != reflect.Pointer || x.Elem().Kind() != reflect.Struct {
		return nil
	}
	field := x.Elem().FieldByName("value")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*stablehlo.Value]() {
		return nil
	}
	return (**stablehlo.Value)(field.Addr().UnsafePointer())
}

// Constant writes a float32 as MLIR does.
func Constant(x float64) string { return fmt.Sprintf("%.9e", x) }
