//go:build cgo

package main

import "github.com/gomlx/go-xla/pjrt"

func plugins() map[string]string { return pjrt.AvailablePlugins() }
