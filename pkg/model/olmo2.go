package model

// olmo2 is llama with norms after each part only, and on queries and keys over all heads at once (Team OLMo 2024, arXiv 2501.00656).
func olmo2(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.each(func(b *block, p string) {
		b.attnIn, b.mlpIn = norm{}, norm{}
		b.attnOut = norm{p + "post_attention_layernorm", rms, c.HiddenSize, c.NormEps}
		b.mlpOut = norm{p + "post_feedforward_layernorm", rms, c.HiddenSize, c.NormEps}
		b.attn.normWhole = true
		b.attn.queryNorm = norm{p + "self_attn.q_norm", rms, c.Heads * c.HeadDim, c.NormEps}
		b.attn.keyNorm = norm{p + "self_attn.k_norm", rms, c.KVHeads * c.HeadDim, c.NormEps}
	})
	return a
}
