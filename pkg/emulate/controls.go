package emulate

// Uniform is the control without a mask: each row gets the mass that the Spec would add to it, spread over all its entries in proportion. Rows
// sum to what they sum to under the Spec, and no entry is favoured.
func Uniform(s Spec) Spec { s.Mask = MaskUniform; return s }

// Random is the control with a meaningless mask: as many entries of each row as the Spec takes, drawn anew for every layer, head and row among
// those that are not excluded. The draw is a hash of (seed, layer, head, query position, key position): the same in prefill and decoding and on
// every backend.
func Random(s Spec, seed uint32) Spec { s.Mask, s.Seed = MaskRandom, seed; return s }

// Local is the control that only knows distance: as many entries of each row as the Spec takes, the nearest that are not excluded.
func Local(s Spec) Spec { s.Mask = MaskLocal; return s }

// Suppress is the opposite control: a gain below 1 on the columns of sinks, off the diagonal, in all layers. Without positions it is the first.
func Suppress(gain float64, positions ...int) Spec {
	if len(positions) == 0 {
		positions = []int{0}
	}
	return Spec{Alpha: gain - 1, Schedule: ScheduleConstant, Mask: MaskKeys, Positions: positions}
}

// ACT is attention calibration (arXiv 2406.15765) with its published constants: in each head, keys beyond the first whose mean received
// attention is above 0.1 are sinks; their entries are multiplied by 0.4 and the freed mass goes to the other keys of the row in proportion to
// their weight. The method selects heads and middle layers: set Layers, Heads or LayerHeads.
//
// The mean received attention of a key is taken over all queries of the prompt that can see it, later ones included. Decoding has no later
// queries, and no earlier ones either, since a cache keeps keys and values: the Spec is for prefill only, and Validate refuses it elsewhere.
// With MaskRunningSinks in place of MaskSinks the mean is taken over the queries up to the row's own, so that no row depends on what follows it.
func ACT() Spec {
	return Spec{Alpha: 0.4 - 1, Schedule: ScheduleConstant, Mask: MaskSinks, Tau: 0.1, Diagonal: true, ExcludePositions: []int{0},
		Renormalise: RenormaliseRest, Phase: PhasePrefill}
}

// ZeroTuning scales the first token only (arXiv 2505.11739): a_0' = g*a_0/D, a_i' = a_i/D with D = (g-1)*a_0 + 1. It equals adding log g to that
// token's score, in every layer and, unless Layers or heads are set, in every head.
func ZeroTuning(gain float64) Spec {
	return Spec{Alpha: gain - 1, Schedule: ScheduleConstant, Mask: MaskKeys, Positions: []int{0}, Diagonal: true, Renormalise: RenormaliseRow}
}

// PASTA steers towards highlighted spans (arXiv 2311.02262): in the chosen (layer, head) pairs every key outside the spans is multiplied by 0.01
// and the row is renormalised. A span is its first position and one past its last. Tokens generated later are outside too; to leave them as
// they are, add a span from the prompt's length to the end of the context.
func PASTA(spans [][2]int, heads [][2]int) Spec {
	return Spec{Alpha: 0.01 - 1, Schedule: ScheduleConstant, Mask: MaskOutside, Spans: spans, Diagonal: true, Renormalise: RenormaliseRow, LayerHeads: heads}
}
