package model

import "slices"

// gptOss is llama with a learned sink logit per head, a mixture of experts in place of the MLP, biases, and a window on every other layer
// (OpenAI 2025, arXiv 2508.10925). The published four-bit form is dequantised on reading (quantised.go).
func gptOss(c *Config, f *fields) *architecture {
	if top := f.plain(); top.object("rope_parameters") == nil && top.object("rope_scaling") == nil {
		f.values["rope_parameters"] = []byte(`{"rope_type":"yarn","factor":32,"beta_fast":32,"beta_slow":1,"truncate":false,"original_max_position_embeddings":4096}`)
	}
	a := llama(c, f)
	count, active, ok := f.expertCounts("num_local_experts")
	if !ok {
		return a
	}
	a.wide = true // rounded to bfloat16 they would send tokens to other experts: 7 of 71 in testdata/reference
	limit, alpha := f.factor("swiglu_limit"), f.factor("swiglu_alpha")
	a.each(func(b *block, p string) {
		b.attn.sinks = p + "self_attn.sinks"
		b.mlp = mlp{experts: &experts{
			router: dense{name: p + "mlp.router", in: c.HiddenSize, out: count, bias: true},
			gateUp: p + "mlp.experts.gate_up_proj", gateUpBias: p + "mlp.experts.gate_up_proj_bias",
			down: p + "mlp.experts.down_proj", downBias: p + "mlp.experts.down_proj_bias",
			inLoops: true, renormalise: true, count: count, active: active, hidden: c.HiddenSize, inner: c.IntermediateSize, limit: limit, alpha: alpha,
		}}
	})
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), everyOther))
	return a
}

// maxExperts is far above any published mixture.
const maxExperts = 4096

// expertCounts reads how many experts there are and how many a token goes through.
func (f *fields) expertCounts(field string) (count, active int, ok bool) {
	count, active = f.integer(0, field), f.integer(0, "num_experts_per_tok")
	ok = count >= 1 && count <= maxExperts && active >= 1 && active <= count
	if !ok {
		f.fail("num_experts_per_tok is %d of %s %d, expected 1 to their number, at most %d", active, field, count, maxExperts)
	}
	return count, active, ok
}

// mixtral is llama with eight experts in place of the MLP (Jiang et al. 2024, arXiv 2401.04088).
func mixtral(c *Config, f *fields) *architecture {
	a := llama(c, f)
	count, active, ok := f.expertCounts("num_local_experts")
	if !ok {
		return a
	}
	act := f.activation()
	a.wide = true
	a.each(func(b *block, p string) {
		b.mlp = mlp{experts: &experts{
			router: dense{name: p + "block_sparse_moe.gate", in: c.HiddenSize, out: count},
			prefix: p + "block_sparse_moe.experts.", module: expertModules{"w1", "w3", "w2"}, act: act, inLoops: f.siluActivation(), renormalise: true,
			count: count, active: active, hidden: c.HiddenSize, inner: c.IntermediateSize,
		}}
	})
	a.setWindows(f.everyLayer(c))
	return a
}

// qwenExperts puts experts in place of the MLPs of the layers that are to have them: every decoder_sparse_step-th, but for mlp_only_layers.
func (f *fields) qwenExperts(c *Config, a *architecture, field string) {
	count, active, ok := f.expertCounts(field)
	step, inner := f.integer(1, "decoder_sparse_step"), f.integer(0, "moe_intermediate_size")
	if inner == 0 {
		inner = c.IntermediateSize
	}
	if step < 1 || inner < 1 || inner > maxConfigValue {
		f.fail("decoder_sparse_step is %d and moe_intermediate_size %d, expected 1 or more", step, inner)
	}
	if !ok || f.err != nil {
		return
	}
	plain := read[[]int](f, "a list of layers", nil, "mlp_only_layers")
	act, renormalise := f.activation(), f.boolean(false, "norm_topk_prob")
	sharedInner := f.integer(0, "shared_expert_intermediate_size")
	a.wide = true
	l := -1
	a.each(func(b *block, p string) {
		if l++; slices.Contains(plain, l) || (l+1)%step != 0 {
			return
		}
		e := &experts{
			router: dense{name: p + "mlp.gate", in: c.HiddenSize, out: count},
			prefix: p + "mlp.experts.", module: expertModules{"gate_proj", "up_proj", "down_proj"}, act: act, inLoops: f.siluActivation(), renormalise: renormalise,
			count: count, active: active, hidden: c.HiddenSize, inner: inner,
		}
		if sharedInner > 0 {
			e.shared = mlp{
				gate: dense{name: p + "mlp.shared_expert.gate_proj", in: c.HiddenSize, out: sharedInner},
				up:   dense{name: p + "mlp.shared_expert.up_proj", in: c.HiddenSize, out: sharedInner},
				down: dense{name: p + "mlp.shared_expert.down_proj", in: sharedInner, out: c.HiddenSize},
				act:  act,
			}
			e.sharedGate = dense{name: p + "mlp.shared_expert_gate", in: c.HiddenSize, out: 1}
		}
		b.mlp = mlp{experts: e}
	})
}

// qwen2Moe is qwen2 with many small experts and one that every token goes through (Qwen Team 2024).
func qwen2Moe(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.projectionBias(f.boolean(true, "qkv_bias"), false)
	f.qwenExperts(c, a, "num_experts")
	size := f.integer(0, "sliding_window")
	on, first := f.boolean(false, "use_sliding_window"), f.integer(28, "max_window_layers")
	if !on {
		size = 0
	}
	a.setWindows(f.windows(c, size, func(l int) bool { return everyOther(l) && l < first }))
	return a
}

// qwen3Moe is qwen3 with experts. Its layers have one window, all of them, where it is turned on.
func qwen3Moe(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.headNorms(c, rms)
	f.qwenExperts(c, a, "num_local_experts")
	size := f.integer(0, "sliding_window")
	if !f.boolean(false, "use_sliding_window") {
		size = 0
	}
	a.setWindows(f.plain().windows(c, size, func(int) bool { return true }))
	return a
}

// olmoe is olmo2's norms of queries and keys and llama's of the blocks, with experts (Muennighoff et al. 2024, arXiv 2409.02060).
func olmoe(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.wholeNorms(c)
	a.clip(f)
	f.qwenExperts(c, a, "num_experts")
	return a
}
