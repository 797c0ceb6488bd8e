package customcall

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Whole is the axis of what is not cut: every device has all of it.
const Whole = -1

// Operand is what PerDevice cuts, and along which axis.
type Operand struct {
	*Node
	Axis int
}

// Devices is over how many devices a graph is cut.
func Devices(g *Graph) int {
	if g.DistributedStrategy() != distributed.AutoSharding {
		return 1
	}
	return g.DeviceMeshes()[0].NumDevices()
}

// PerDevice computes results on each device from its pieces of the operands: body gets the pieces, and the results are put together along axes, one for each. The operands'
// axes must divide among the devices. Nothing else of the graph may be used in the body, and nothing of the body outside it. It has no gradient. On one device it is body.
//
// It is what the language of the partitioner calls a manual computation (sdy.manual_computation), written as XLA writes it where it passes a module on: a function between
// two calls that say how operands and results are cut (xla/service/spmd/shardy/sdy_round_trip).
func PerDevice(operands []Operand, axes []int, body func(pieces []*Node) []*Node) []*Node {
	whole := make([]*Node, len(operands))
	for i, o := range operands {
		whole[i] = o.Node
	}
	g := operands[0].Graph()
	n := Devices(g)
	if n == 1 {
		return body(whole)
	}
	mesh := g.DeviceMeshes()[0]
	manual := fmt.Sprintf("#sdy<manual_axes{%q}>", mesh.AxesNames()[0])
	var cuts []string
	var pieces []shapes.Shape
	var likes []*Node
	for _, o := range operands {
		shape := o.Shape().Clone()
		if o.Axis != Whole {
			shape.Dimensions[o.Axis] /= n
		}
		cuts = append(cuts, specification(mesh, o.Shape().Rank(), o.Axis))
		pieces, likes = append(pieces, shape), append(likes, placeholder(g, shape))
	}
	local := call("xla.sdy.GlobalToLocalShape", "", likes, whole, nil, nil, attributes("xla.sdy.in_shardings", perValue(cuts), "xla.sdy.manual_axes", manual))

	name := g.UniqueName("xla.sdy.manual_computation_body")
	var made []shapes.Shape
	f := withOwnConstants(g, func() *Function {
		return NewFunction(g, name, func(g *Graph) []*Node {
			var in []*Node
			for i, shape := range pieces {
				in = append(in, Parameter(g, fmt.Sprintf("piece%d", i), shape))
			}
			out := body(in)
			for _, x := range out {
				made = append(made, x.Shape())
			}
			return out
		})
	})
	results := f.Call(local...)
	called := *valueOf(name, InternalBackendOutputs(results[0])[0])
	symbol := attributes("inlineable", "xla_late")
	symbol["callee"] = text("@" + name) // go-xla would write another name
	setAttributes(name, called, symbol)

	cuts, likes = nil, nil
	for i, shape := range made {
		shape = shape.Clone()
		if axes[i] != Whole {
			shape.Dimensions[axes[i]] *= n
		}
		cuts, likes = append(cuts, specification(mesh, shape.Rank(), axes[i])), append(likes, placeholder(g, shape))
	}
	return call("xla.sdy.LocalToGlobalShape", "", likes, results, nil, nil, attributes("xla.sdy.manual_axes", manual, "xla.sdy.out_shardings", perValue(cuts)))
}

// specification says how a tensor is cut in the partitioner's language.
func specification(mesh *distributed.DeviceMesh, rank, axis int) string {
	axes := make([]string, rank)
	for i := range axes {
		axes[i] = "{}"
		if i == axis {
			axes[i] = fmt.Sprintf("{%q}", mesh.AxesNames()[0])
		}
	}
	return fmt.Sprintf("<@%s, [%s]>", mesh.Name(), strings.Join(axes, ", "))
}

func perValue(cuts []string) string {
	return fmt.Sprintf("#sdy.sharding_per_value<[%s]>", strings.Join(cuts, ", "))
}

// text is written into a module as it is.
type text string

// ToStableHLO is how go-xla asks for it.
func (t text) ToStableHLO() string { return string(t) }

// attributes are those of a call whose frontend attributes are given by name and value.
func attributes(pairs ...string) map[string]any {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, fmt.Sprintf("%s = %q", pairs[i], pairs[i+1]))
	}
	a := map[string]any{"mhlo.frontend_attributes": text("{" + strings.Join(list, ", ") + "}")}
	if len(pairs) > 2 { // the calls that cut and put together must not be left out or merged
		a["has_side_effect"], a["api_version"] = true, int32(1)
	}
	return a
}

// placeholder is a node of a shape whose value is replaced.
func placeholder(g *Graph, shape shapes.Shape) *Node {
	if shape.Rank() == 0 {
		return ConstAsDType(g, shape.DType, 0)
	}
	return ConvertDType(Iota(g, shapes.Make(dtypes.Int32, shape.Dimensions...), 0), shape.DType)
}

// withOwnConstants makes a function in which what a graph keeps for its main function is made anew, since it belongs to that function: GoMLX's scalars, and the bodies of
// go-xla's reductions.
func withOwnConstants(g *Graph, make func() *Function) *Function {
	field := func(of reflect.Value, name string) reflect.Value {
		f := of.FieldByName(name)
		if !f.IsValid() {
			exceptions.Panicf("a %s has no field %q as expected: %s", of.Type(), name, otherVersions)
		}
		return f
	}
	graph := reflect.ValueOf(g).Elem()
	builder := field(graph, "builder").Elem().Elem()
	kept := []reflect.Value{field(graph, "scalars")}
	for _, name := range []string{"cacheReductions", "cacheArgMinMax", "cacheSelections"} {
		kept = append(kept, field(builder, name))
	}
	for _, field := range kept {
		own := reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem()
		before := reflect.New(own.Type()).Elem()
		before.Set(own)
		own.Set(reflect.MakeMap(own.Type()))
		defer own.Set(before)
	}
	return make()
}
