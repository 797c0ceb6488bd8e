package train

import "github.com/attune-lab/attune/pkg/model"

// FLOPs is what training does per token on rows of a width, in floating-point operations:
//
//	6 N + 12 L H D T
//
// with N parameters that multiply activations (every weight but norms, biases and embeddings; a head counts, tied or not), L layers of H heads of dimension D and
// T tokens per row (PaLM, Chowdhery et al. 2022, appendix B). It counts the attention's whole square, though a causal one needs half, and nothing
// twice that is recomputed, so it compares machines and programs by what they achieve. Of a mixture all experts count. Where weights are frozen, as under an adapter, their
// gradients are not formed: 4 N.
func FLOPs(m *model.Model, width int, full bool) float64 {
	c := m.Config
	n := 0
	for _, w := range m.Weights() {
		if w.Matrix {
			size := 1
			for _, d := range w.Shape {
				size *= d
			}
			n += size
		}
	}
	if c.TieEmbeddings {
		n += c.VocabSize * c.HiddenSize
	}
	passes := 6.0
	if !full {
		passes = 4
	}
	return passes*float64(n) + 12*float64(c.Layers*c.Heads*c.HeadDim*width)
}
