// Package grouped multiplies rows with the matrix of the group that each belongs to: the products of a mixture of experts, whose tokens lie in the order of their experts.
//
// With places p in the order of their groups, g(p) the group of a place and r(p) the row of x there, it computes
//
//	y[p] = f(x[r(p)] · W[g(p)] + b[g(p)])
//
// in one kernel, where f is nothing, or the activation that joins a gate and what it lets through. How many places a group has is known on the device only. Work is cut into tiles of
// places of one group; a table of them, as long as the tiles can be at most, is made on the device, and tiles that no group needs end at once. So the cost follows the
// places, however they fall into groups, and neither rows nor matrices are copied: rows are read through their index, matrices as they lie.
//
// Where rows are so few that reading the matrices is all the work, as in decoding, another kernel (VectorProduct) takes rows as they come and reads each one's few matrices.
//
// Kernels are written in Triton's intermediate representation (product.mlir, vectors.mlir, package triton): bfloat16 operands, float32 sums. They need an NVIDIA GPU and sizes
// that suit their tiles; Available and VectorsAvailable say so, and test each kind on a small case before anything relies on it.
package grouped
