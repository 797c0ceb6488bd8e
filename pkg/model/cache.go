package model

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// cacheState is the cache of keys and values inside a loop's body, where it is part of the loop's state: slots [batch, slots, 2], then keys and values of every
// layer, [batch, kv_heads, slots, head_dim]. There are two ways to keep it.
//
// In place, on XLA: the state is the whole cache, and a step writes its slot with DynamicUpdateSlice, which XLA does without a copy.
//
// In two parts, on the Go backend, which has no DynamicUpdateSlice: what earlier calls have left is read only, and the state is the call's own chunk of tokens,
// small enough to be written again at every step with Where.
type cacheState struct {
	state []*Node
	in    *invariants
	here  *Node // in two parts: bool [batch, chunk], the step's slot of the chunk
	at    *Node // in place: the step's slot
	none  *Node // in place: the scalar 0
}

// newCacheState begins a step: step counts from the call's start, here marks it in bool [batch, chunk].
func newCacheState(in *invariants, state []*Node, step, here *Node) *cacheState {
	c := &cacheState{state: append([]*Node{}, state...), in: in, here: here}
	if in.used != nil {
		c.at, c.none = Add(in.used, step), Sub(step, step)
	}
	return c
}

// place writes the step's position and token, [batch, 1, 2], and returns all slots.
func (c *cacheState) place(slot *Node) *Node {
	c.state[0] = c.write(c.state[0], slot, 1)
	if c.at != nil {
		return c.state[0]
	}
	return Concatenate([]*Node{c.in.slots, c.state[0]}, 1)
}

// extend writes a layer's new keys and values, [batch, kv_heads, 1, head_dim], and returns all that its query attends to.
func (c *cacheState) extend(layer int, k, v *Node) past {
	i := 2 * layer
	c.state[1+i], c.state[2+i] = c.write(c.state[1+i], k, 2), c.write(c.state[2+i], v, 2)
	k, v = c.state[1+i], c.state[2+i]
	if c.at != nil {
		return past{[]*Node{k}, []*Node{v}}
	}
	return past{[]*Node{c.in.frozen[i], k}, []*Node{c.in.frozen[i+1], v}}
}

// write puts one slot into the state's slots along an axis.
func (c *cacheState) write(into, slot *Node, axis int) *Node {
	dims := into.Shape().Dimensions
	if c.at != nil {
		start := make([]*Node, len(dims))
		for i := range start {
			start[i] = c.none
		}
		start[axis] = c.at
		return DynamicUpdateSlice(into, slot, start)
	}
	here := c.here // bool [batch, chunk] -> [batch, 1, chunk, 1] or [batch, chunk, 1]
	if axis == 2 {
		here = InsertAxes(here, 1)
	}
	return Where(BroadcastToDims(InsertAxes(here, -1), dims...), BroadcastToDims(slot, dims...), into)
}
