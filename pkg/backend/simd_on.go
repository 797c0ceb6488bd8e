//go:build goexperiment.simd && amd64

package backend

import "simd/archsimd"

// SIMD reports a build with GOEXPERIMENT=simd, in which the Go backend has vector kernels.
const SIMD = true

// EndVectors ends the use of vector registers on this thread. The Go backend's kernels (compute v0.1.6) leave their upper halves in use, in which state instructions of
// the older kind, such as those of SHA-256 and math.Exp, can be a hundred times slower.
func EndVectors() { archsimd.ClearAVXUpperBits() }
