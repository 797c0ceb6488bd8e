// Package attention is the seam between a model and an experiment: one layer's attention as a Site, what an Experiment may observe or change there, and how a change
// is carried out by the cheapest exact way.
//
// A model gives each layer's Operands (queries and keys after rotation, values, masks) to Compute, together with the Visit that an Experiment wants there. The Visit's
// Build observes (Site.Probs, LSE, Emit) or rewrites (Site.Change, SetProbs). Without an experiment every layer takes the fused path where the backend has one; with
// one, only the layers whose probabilities it asks for pay.
//
// # State between layers
//
// What an earlier layer knows and a later one needs has a name (Site.Keep, Site.Kept), and numbers that differ between layers are inputs of the graph (Visit.Inputs,
// Site.Input). Layers whose Visits have one key so share one executable, and so do experiments: nothing of a layer hides in a closure.
//
// # Changes
//
// Weighted multiplies the probabilities that a Mask covers by a gain g. On probabilities it is a multiplication. In a prefill on an NVIDIA GPU it is one pass of a
// kernel that multiplies them tile by tile and never holds a row (package kernel), for all that renormalises nothing or the row. A threshold needs no softmax: A > tau
// is s > LSE + log tau. The mask is packed into bits, a block of rows at a time, by the layer that it comes from; where bits would not fit (Execution.MaxBytes) the
// kernel compares that layer's scores with these limits as it goes, and nothing grows with the square of the length.
//
// What that kernel does not do, or where it is not available, runs of the library's do. A fused kernel forms no probabilities, but it takes a bias on the scores and
// gives each row's log-sum-exp, which is enough. With O, LSE of the plain attention and O_in, LSE_in of the attention restricted to the mask (a bias that takes
// all other entries out), the mask covers m = exp(LSE_in - LSE) of a row, and
//
//	rows keep their gain:  O + (g-1) m O_in
//	renormalised rows:     (O + (g-1) m O_in) / (1 + (g-1) m)
//
// (all forms: passes.go). The bias does not depend on the gain, so that one bias serves every layer. Where it would not fit, a layer is computed by blocks
// of rows. Decoding, the Go backend and layers that no fused kernel computes work on probabilities. The plan says what each layer did.
package attention
