package model

// gptOss is llama with a learned sink logit per head, a mixture of experts in place of the MLP, biases, and a window on every other layer
// (OpenAI 2025, arXiv 2508.10925). Its bfloat16 form; the published 4-bit one is refused with the rest of the quantised checkpoints.
func gptOss(c *Config, f *fields) *architecture {
	c.AttentionBias = f.boolean(true, "attention_bias")
	if !f.has("rope_parameters") && !f.has("rope_scaling") {
		f.values["rope_parameters"] = []byte(`{"rope_type":"yarn","factor":32,"beta_fast":32,"beta_slow":1,"truncate":false,"original_max_position_embeddings":4096}`)
	}
	a := llama(c, f)
	count, active := f.integer(128, "num_local_experts", "num_experts"), f.integer(4, "num_experts_per_tok", "experts_per_token")
	if count < 1 || count > maxExperts || active < 1 || active > count {
		f.fail("num_experts_per_tok is %d of num_local_experts %d, expected 1 to their number, at most %d", active, count, maxExperts)
		return a
	}
	a.wide = true // rounded to bfloat16 they would send tokens to other experts: 7 of 71 in testdata/reference
	limit, alpha := f.number(7, "swiglu_limit"), f.number(1.702, "swiglu_alpha")
	a.each(func(b *block, p string) {
		b.attn.sinks = p + "self_attn.sinks"
		b.mlp = mlp{experts: &experts{
			router: dense{name: p + "mlp.router", in: c.HiddenSize, out: count, bias: true},
			gateUp: p + "mlp.experts.gate_up_proj", gateUpBias: p + "mlp.experts.gate_up_proj_bias",
			down: p + "mlp.experts.down_proj", downBias: p + "mlp.experts.down_proj_bias",
			count: count, active: active, hidden: c.HiddenSize, inner: c.IntermediateSize, limit: limit, alpha: alpha,
		}}
	})
	a.setWindows(f.windows(c, f.integer(128, "sliding_window"), everyOther))
	return a
}

// maxExperts is far above any published mixture.
const maxExperts = 4096
