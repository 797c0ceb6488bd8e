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

// ACT is attention calibration (arXiv 2406.15765) with its published constants: in each head, keys whose mean received attention is above 0.1 are
// sinks, of which the first one stays as it is, wherever it stands; the entries of the others are multiplied by 0.4 and the freed mass goes to the
// other keys of the row in proportion to their weight. Without heads it acts on all of them, in every layer. The method chooses them on items of
// their own (package calibrate), in middle layers.
//
// The mean received attention of a key is taken over all queries of the prompt that can see it, later ones included. Decoding has no later
// queries, and no earlier ones either, since a cache keeps keys and values: the Spec changes the rows of the prompt only, in a prefill over prompt
// and answer as well, and Validate refuses it elsewhere. With MaskRunningSinks in place of MaskSinks the mean is taken over the queries up to the
// row's own, so that no row depends on what follows it.
func ACT(heads ...[2]int) Spec {
	return Spec{Alpha: 0.4 - 1, Schedule: ScheduleConstant, Mask: MaskSinks, Tau: 0.1, Diagonal: true, KeepFirst: true,
		Renormalise: RenormaliseRest, Phase: PhasePrefill, LayerHeads: heads}
}

// ZeroTuning scales the first token only (arXiv 2505.11739): a_0' = g*a_0/D, a_i' = a_i/D with D = (g-1)*a_0 + 1. It equals adding log g to that
// token's score in the given (layer, head) pairs; without any, in every head of every layer.
func ZeroTuning(gain float64, heads ...[2]int) Spec {
	return Spec{Alpha: gain - 1, Schedule: ScheduleConstant, Mask: MaskKeys, Positions: []int{0}, Diagonal: true, Renormalise: RenormaliseRow, LayerHeads: heads}
}

// PASTA steers towards highlighted spans (arXiv 2311.02262): in the chosen (layer, head) pairs every key of the prompt outside the spans is
// multiplied by 0.01 and the row is renormalised; without pairs in every head. A span is its first position and one past its last; without spans
// it is the one that is highlighted in each prompt. Tokens behind the prompt, generated or of a choice that is scored, are never damped.
func PASTA(spans [][2]int, heads [][2]int) Spec {
	return Spec{Alpha: 0.01 - 1, Schedule: ScheduleConstant, Mask: MaskOutside, Spans: spans, Highlighted: len(spans) == 0, Diagonal: true, Renormalise: RenormaliseRow, LayerHeads: heads}
}
