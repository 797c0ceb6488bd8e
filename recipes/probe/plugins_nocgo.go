//go:build !cgo

package main

// plugins finds nothing: without cgo none could be loaded.
func plugins() map[string]string { return nil }
