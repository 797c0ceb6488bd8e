// Package customcall puts into a graph what GoMLX (v0.28.8) has no operation for: calls of functions that XLA knows by name, such as kernels, and, over several devices, parts
// of a graph that each device computes on its own pieces (PerDevice).
//
// XLA's partitioner sees through every operation but a custom call: it brings the operands of such a call together on each device, and each computes the whole. Within
// PerDevice a call has the pieces that a device holds: attention, whose heads do not depend on each other, runs on each device's heads.
//
// go-xla (v0.4.5) has custom calls on its StableHLO values, which a graph's nodes keep to themselves: they are taken out of the nodes by reflection.
package customcall
