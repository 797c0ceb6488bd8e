package model

import "math"

// gemma2 has norms before and after each part, weights of norms stored as w for 1+w, soft caps on scores and logits, a window on every other
// layer, and embeddings times sqrt(hidden) (Gemma Team 2024, arXiv 2408.00118).
func gemma2(c *Config, f *fields) *architecture {
	a := gemma(c, f)
	a.softcap = f.number(30, "final_logit_softcapping")
	attn := f.number(50, "attn_logit_softcapping")
	if f.null("final_logit_softcapping") {
		a.softcap = 0
	}
	if f.null("attn_logit_softcapping") {
		attn = 0
	}
	for i := range a.blocks {
		a.blocks[i].attn.softcap = attn
	}
	a.setWindows(f.windows(c, f.integer(4096, "sliding_window"), everyOther))
	return a
}

// gemma is what Gemma 2 and 3 share.
func gemma(c *Config, f *fields) *architecture {
	a := llama(c, f)
	scalar := f.number(256, "query_pre_attn_scalar")
	if !(scalar > 0) {
		f.fail("query_pre_attn_scalar is %v, expected a positive number", scalar)
	}
	a.embedScale = math.Sqrt(float64(c.HiddenSize))
	a.norm.kind = rmsPlusOne
	a.each(func(b *block, p string) {
		b.attn.scale = 1 / math.Sqrt(scalar)
		b.attnIn.kind = rmsPlusOne
		b.attnOut = norm{p + "post_attention_layernorm", rmsPlusOne, c.HiddenSize, c.NormEps}
		b.mlpIn = norm{p + "pre_feedforward_layernorm", rmsPlusOne, c.HiddenSize, c.NormEps}
		b.mlpOut = norm{p + "post_feedforward_layernorm", rmsPlusOne, c.HiddenSize, c.NormEps}
	})
	return a
}
