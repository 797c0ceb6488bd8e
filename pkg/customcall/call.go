package customcall

import (
	_ "embed"
	"reflect"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/stablehlo"
	"github.com/gomlx/go-xla/types/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Source is this file's text: a kernel that was tried out through another one is tried again.
//
//go:embed call.go
var Source string

// Call calls the function of a name, with operands and results row-major in memory. Its results have the dimensions and dtypes of likes, and no gradient: asking for
// one panics. config is what the function reads beside its operands.
func Call(target, config string, likes []*Node, operands ...*Node) []*Node {
	rowMajor := func(n int) [][]int { return make([][]int, n) }
	return call(target, config, likes, operands, rowMajor(len(operands)), rowMajor(len(likes)), nil)
}

// call is Call with layouts, nil for any, and attributes of the statement.
func call(target, config string, likes, operands []*Node, operandLayouts, resultLayouts [][]int, attributes map[string]any) []*Node {
	values := make([]*stablehlo.Value, len(operands))
	for i, x := range operands {
		values[i] = *valueOf(target, InternalBackendOutputs(x)[0])
	}
	results := make([]shapes.Shape, len(likes))
	for i, like := range likes {
		results[i] = shapes.Make(like.DType(), like.Shape().Dimensions...)
	}
	computed, err := stablehlo.CustomCallV2(target, config, values, operandLayouts, results, resultLayouts)
	if err != nil {
		panic(err)
	}
	setAttributes(target, computed[0], attributes)
	out := make([]*Node, len(likes))
	for i, like := range likes { // each result is put in the place of an Identity's
		out[i] = IdentityWithCustomGradient(like, func(_, _ *Node) *Node {
			exceptions.Panicf("%s has no gradient", target)
			return nil
		})
		outputs := InternalBackendOutputs(out[i])
		own := reflect.New(reflect.TypeOf(outputs[0]).Elem()) // an Identity's value is its operand's, which stays as it is
		own.Elem().Set(reflect.ValueOf(outputs[0]).Elem())
		outputs[0] = own.Interface().(compute.Value)
		*valueOf(target, outputs[0]) = computed[i]
	}
	return out
}

// valueOf is where a backend's value keeps that of StableHLO. It panics where it keeps none, or not where go-xla v0.4.5 does.
func valueOf(target string, v compute.Value) **stablehlo.Value {
	return (**stablehlo.Value)(fieldOf[*stablehlo.Value](target, reflect.ValueOf(v), "value"))
}

// setAttributes changes attributes of the statement that a value comes from.
func setAttributes(target string, v *stablehlo.Value, attributes map[string]any) {
	if len(attributes) == 0 {
		return
	}
	statement := *(**stablehlo.Statement)(fieldOf[*stablehlo.Statement](target, reflect.ValueOf(v), "stmt"))
	for name, value := range attributes {
		statement.Attributes[name] = value
	}
}

// otherVersions is what a field that is not there may mean.
const otherVersions = "other versions of GoMLX or go-xla than v0.28.8 and v0.4.5, or another backend than XLA?"

// fieldOf is the address of a field of what x points at.
func fieldOf[T any](target string, x reflect.Value, name string) *T {
	if x.Kind() == reflect.Pointer && x.Elem().Kind() == reflect.Struct {
		if field := x.Elem().FieldByName(name); field.IsValid() && field.Type() == reflect.TypeFor[T]() {
			return (*T)(field.Addr().UnsafePointer())
		}
	}
	exceptions.Panicf("%s: a %s has no field %q as expected: %s", target, x.Type(), name, otherVersions)
	return nil
}
