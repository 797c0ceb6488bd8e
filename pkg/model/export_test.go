package model

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
)

// StageLayers has stages of that many layers until the test ends.
func StageLayers(t *testing.T, n int) {
	before := stageLayers
	stageLayers = func(*Model) int { return n }
	t.Cleanup(func() { stageLayers = before })
}

// Overlap has every pass over several devices go by halves until the test ends.
func Overlap(t *testing.T) {
	before := overlapping
	overlapping = func(*Model, *Node) bool { return true }
	t.Cleanup(func() { overlapping = before })
}
