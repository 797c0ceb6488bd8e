package model

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// PackedLogitsGraph is [Model.LogitsGraph] for rows that hold several documents each: tokens, the positions in their documents and the numbers of
// the documents, all int32 [batch, tokens] -> float32 [batch, tokens, vocab]. A token sees those of its own document up to itself, so
// its logits are what they would be if the document stood alone.
//
// Rotary scalings that depend on the length of the whole text take a row's width for it.
func (m *Model) PackedLogitsGraph(tokens, positions, segments *Node) *Node {
	g := tokens.Graph()
	run := &Run{Graph: g, Config: m.Config, Phase: Prefill, Tokens: tokens}
	geo := prefillGeometry(run)
	geo.queryPos, geo.keyPos, geo.segments = positions, positions, segments
	d := newDecoder(m.arch, m.params(g), run, geo, nil)
	x, _ := d.prefill(tokens)
	return d.logits(x)
}
