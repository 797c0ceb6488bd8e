package model

import "testing"

// StageLayers has stages of that many layers until the test ends.
func StageLayers(t *testing.T, n int) {
	before := stageLayers
	stageLayers = func(*Model) int { return n }
	t.Cleanup(func() { stageLayers = before })
}
