package model

// phi3 is llama with queries, keys and values in one product, gate and up in another (Abdin et al. 2024, arXiv 2404.14219), and in some checkpoints a
// window.
func phi3(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.each(func(b *block, p string) {
		b.attn.query, b.attn.key, b.attn.value = dense{}, dense{}, dense{}
		b.attn.fused = dense{name: p + "self_attn.qkv_proj", in: c.HiddenSize, out: (c.Heads + 2*c.KVHeads) * c.HeadDim}
		b.attn.out.bias = false
		b.mlp.gate, b.mlp.up = dense{}, dense{}
		b.mlp.gateUp = dense{name: p + "mlp.gate_up_proj", in: c.HiddenSize, out: 2 * c.IntermediateSize}
	})
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), func(int) bool { return true }))
	return a
}
