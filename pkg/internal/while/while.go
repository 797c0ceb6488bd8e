// Package while writes a graph's loops.
package while

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Loop repeats body on a state while cond, a bool scalar, holds, and returns the last state. Both are built in graphs of their own and are given parameters of the state's
// shapes: XLA's builder (go-xla v0.4.5) refuses arithmetic on what a body captures, so all that it reads belongs to the state, and what it leaves as it is XLA keeps in
// place. Constants have to be made in the body: GoMLX keeps one node per scalar and graph.
func Loop(state []*graph.Node, cond func(s []*graph.Node) *graph.Node, body func(s []*graph.Node) []*graph.Node) []*graph.Node {
	declare := func(g *graph.Graph) []*graph.Node {
		nodes := make([]*graph.Node, len(state))
		for i, s := range state {
			nodes[i] = graph.Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return nodes
	}
	g := state[0].Graph()
	return graph.While(
		graph.NewClosure(g, func(g *graph.Graph) []*graph.Node { return []*graph.Node{cond(declare(g))} }),
		graph.NewClosure(g, func(g *graph.Graph) []*graph.Node { return body(declare(g)) }), state...)
}
