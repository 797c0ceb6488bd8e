package kernel

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/customcall"
)

// byHeads reports whether queries and keys, [batch, tokens, heads, dim], are of a graph over several devices, each of which has as many heads.
func byHeads(query, key *Node) bool {
	n := customcall.Devices(query.Graph())
	return n > 1 && query.Shape().Dimensions[2]%n == 0 && key.Shape().Dimensions[2]%n == 0
}

// pieces collects what a kernel reads on each device.
type pieces struct{ operands []customcall.Operand }

// cut adds an operand by the axis of its heads and returns its place; none for nil.
func (p *pieces) cut(x *Node, axis int) int {
	if x == nil {
		return none
	}
	p.operands = append(p.operands, customcall.Operand{Node: x, Axis: axis})
	return len(p.operands) - 1
}

// none is the place of what is not there, see at.
const none = -1

// at is the piece at a place.
func at(pieces []*Node, place int) *Node {
	if place == none {
		return nil
	}
	return pieces[place]
}
