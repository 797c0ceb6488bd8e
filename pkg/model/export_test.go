package model

import "testing"

// StageLayers has stages of that many layers until the test ends.
func StageLayers(t *testing.T, n int) {
	before := stageLayers
	stageLayers = func(*Model) int { return n }
	t.Cleanup(func() { stageLayers = before })
}

// GenerateKey identifies the graphs of decoding without an experiment.
func (m *Model) GenerateKey(opts GenerateOptions) string { return m.generateKey("decode", opts, nil) }
