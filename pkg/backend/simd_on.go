//go:build goexperiment.simd && amd64

package backend

// SIMD reports a build with GOEXPERIMENT=simd, in which the Go backend has vector kernels.
const SIMD = true
