//go:build !(goexperiment.simd && amd64)

package backend

// SIMD reports a build with GOEXPERIMENT=simd, in which the Go backend has vector kernels.
const SIMD = false

// EndVectors ends the use of vector registers on this thread, which no code of this build leaves in use.
func EndVectors() {}
