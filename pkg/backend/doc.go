// Package backend opens the computation backends that Attune runs on, always by an explicit name.
//
// Names:
//
//   - "go": GoMLX's pure-Go backend, with the setting that neither deadlocks nor starves on large
//     matrix products (`go:parallelism=-1`). It needs no C compiler and no library.
//   - "xla:cuda", "xla:cpu": XLA through a PJRT plugin (github.com/gomlx/go-xla, where gopjrt went).
//     They are linked only where cgo is available, and float32 products stay float32 (tf32 off), so
//     that a number means the same on every backend.
//
// Nothing is ever downloaded here: a plugin that is not installed is an error that says how to get one.
package backend
