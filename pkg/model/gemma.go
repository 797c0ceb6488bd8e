package model

import "math"

// gemma2 has norms before and after each part, weights of norms stored as w for 1+w, soft caps on scores and logits, a window on every other
// layer, and embeddings times sqrt(hidden) (Gemma Team 2024, arXiv 2408.00118).
func gemma2(c *Config, f *fields) *architecture {
	a := gemma(c, f)
	a.softcap = f.number(0, "final_logit_softcapping")
	attn := f.number(0, "attn_logit_softcapping")
	for i := range a.blocks {
		a.blocks[i].attn.softcap = attn
	}
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), everyOther))
	return a
}

// gemma1 is llama with norms stored as w for 1+w and embeddings times sqrt(hidden) (Gemma Team 2024, arXiv 2403.08295).
func gemma1(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.embedScale = math.Sqrt(float64(c.HiddenSize))
	a.norm.kind = rmsPlusOne
	a.each(func(b *block, _ string) { b.attnIn.kind, b.mlpIn.kind = rmsPlusOne, rmsPlusOne })
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

// gemma3 is Gemma 2 without soft caps, with norms on each head of queries and keys, five windowed layers to one without, and a rotary base for each
// of the two kinds (Gemma Team 2025, arXiv 2503.19786). Only the text model.
func gemma3(c *Config, f *fields) *architecture {
	a := gemma(c, f)
	a.headNorms(c, rmsPlusOne)
	a.softcap = f.number(0, "final_logit_softcapping")
	if f.boolean(false, "use_bidirectional_attention") {
		f.fail("use_bidirectional_attention is true: an encoder, not a decoder that generates")
	}
	period := f.plain().integer(6, "sliding_window_pattern")
	if period < 1 {
		f.fail("sliding_window_pattern is %d, expected 1 or more", period)
		return a
	}
	top := f.plain()
	f.twoKinds(c, a, func(l int) bool { return (l+1)%period != 0 },
		top.number(f.class.Theta.Global, "rope_theta"), top.number(f.class.Theta.Local, "rope_local_base_freq"))
	return a
}
