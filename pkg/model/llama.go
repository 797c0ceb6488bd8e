package model

import "math"

// llama is the decoder of Touvron et al. 2023: RMSNorm before each part, rotary embedding, gated MLP. Most later families are it with a few
// changes, so their files begin with a call to this one.
func llama(c *Config, f *fields) *architecture {
	rope := f.rope(c)
	c.RopeTheta = rope.theta
	act := f.activation()
	a := &architecture{
		prefix: "model.", layers: "model.layers.", embed: "model.embed_tokens.weight", head: "lm_head.weight",
		norm:    norm{"model.norm", rms, c.HiddenSize, c.NormEps},
		ignored: []string{".rotary_emb.inv_freq"}, // tables that old versions of transformers saved
	}
	a.addLayers(c, func(_ int, p string) block {
		return block{
			attnIn: norm{p + "input_layernorm", rms, c.HiddenSize, c.NormEps},
			attn: attention{
				query: dense{name: p + "self_attn.q_proj", in: c.HiddenSize, out: c.Heads * c.HeadDim, bias: c.AttentionBias},
				key:   dense{name: p + "self_attn.k_proj", in: c.HiddenSize, out: c.KVHeads * c.HeadDim, bias: c.AttentionBias},
				value: dense{name: p + "self_attn.v_proj", in: c.HiddenSize, out: c.KVHeads * c.HeadDim, bias: c.AttentionBias},
				out:   dense{name: p + "self_attn.o_proj", in: c.Heads * c.HeadDim, out: c.HiddenSize, bias: c.AttentionBias},
				rope:  rope, scale: 1 / math.Sqrt(float64(c.HeadDim)),
			},
			mlpIn: norm{p + "post_attention_layernorm", rms, c.HiddenSize, c.NormEps},
			mlp: mlp{
				gate: dense{name: p + "mlp.gate_proj", in: c.HiddenSize, out: c.IntermediateSize, bias: c.MLPBias},
				up:   dense{name: p + "mlp.up_proj", in: c.HiddenSize, out: c.IntermediateSize, bias: c.MLPBias},
				down: dense{name: p + "mlp.down_proj", in: c.IntermediateSize, out: c.HiddenSize, bias: c.MLPBias},
				act:  act,
			},
		}
	})
	return a
}

// headNorms normalises every head of queries and keys by itself, before the rotation.
func (a *architecture) headNorms(c *Config, kind normKind) {
	a.each(func(b *block, p string) {
		b.attn.queryNorm = norm{p + "self_attn.q_norm", kind, c.HeadDim, c.NormEps}
		b.attn.keyNorm = norm{p + "self_attn.k_norm", kind, c.HeadDim, c.NormEps}
	})
}

// headNormsIf is headNorms with LayerNorms of these names and kind, where a field turns them on.
func (a *architecture) headNormsIf(c *Config, f *fields, field, query, key string, kind normKind) {
	if !f.boolean(false, field) {
		return
	}
	width := func(heads int) int {
		if kind.byHead() {
			return heads * c.HeadDim
		}
		return c.HeadDim
	}
	a.each(func(b *block, p string) {
		b.attn.queryNorm = norm{p + "self_attn." + query, kind, width(c.Heads), c.NormEps}
		b.attn.keyNorm = norm{p + "self_attn." + key, kind, width(c.KVHeads), c.NormEps}
	})
}

// setWindows gives each layer its window.
func (a *architecture) setWindows(windows []int) {
	for i, w := range windows {
		a.blocks[i].attn.window = w
	}
}

// mistral is llama with a sliding window over every layer (Jiang et al. 2023).
func mistral(c *Config, f *fields) *architecture {
	a := llama(c, f)
	// With layer_types it is what transformers calls ministral, in which windowed and full layers alternate: the class has no such field.
	a.setWindows(f.plain().windows(c, f.integer(0, "sliding_window"), func(int) bool { return true }))
	return a
}

// ministral3 is mistral whose queries grow with the position (Mistral AI 2025, Ministral 3); its rotary embedding is yarn where the file says none.
func ministral3(c *Config, f *fields) *architecture {
	if top := f.plain(); top.object("rope_parameters") == nil && top.object("rope_scaling") == nil {
		f.values["rope_parameters"] = []byte(`{"rope_type":"yarn","rope_theta":1000000,"factor":16,"original_max_position_embeddings":16384,"beta_fast":32,"beta_slow":1,
			"mscale":1,"mscale_all_dim":1,"llama_4_scaling_beta":0.1}`)
	}
	a := llama(c, f)
	p := f.ropeObject()
	grows, period := p.number(0, "llama_4_scaling_beta"), p.integer(0, "original_max_position_embeddings")
	if grows != 0 && period < 1 {
		f.fail("%sllama_4_scaling_beta is %v with original_max_position_embeddings %d, expected 1 or more", p.path, grows, period)
		return a
	}
	a.each(func(b *block, _ string) { b.attn.rope.grows, b.attn.rope.period = grows, period })
	a.setWindows(f.everyLayer(c))
	return a
}

// qwen2 is llama with biases on queries, keys and values (Yang et al. 2024), and windows on its upper layers where they are turned on.
func qwen2(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.projectionBias(true, false)
	a.setWindows(qwenWindows(c, f))
	return a
}

// qwenWindows: layers from max_window_layers on slide, if use_sliding_window says so.
func qwenWindows(c *Config, f *fields) []int {
	size := f.integer(0, "sliding_window")
	if !f.boolean(false, "use_sliding_window") {
		size = 0
	}
	first := f.integer(28, "max_window_layers")
	return f.windows(c, size, func(l int) bool { return l >= first })
}

// qwen3 is llama with RMSNorm on each head of queries and keys (Yang et al. 2025, arXiv 2505.09388).
func qwen3(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.headNorms(c, rms)
	a.setWindows(qwenWindows(c, f))
	return a
}

// olmo is llama with norms that have no weights (Groeneveld et al. 2024, arXiv 2402.00838).
func olmo(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.norm.kind = layerNormBare
	a.each(func(b *block, _ string) { b.attnIn.kind, b.mlpIn.kind = layerNormBare, layerNormBare })
	a.clip(f)
	return a
}

// clip bounds queries, keys and values.
func (a *architecture) clip(f *fields) {
	bound := f.number(0, "clip_qkv")
	if bound < 0 {
		f.fail("clip_qkv is %v, expected a positive bound", bound)
	}
	a.each(func(b *block, _ string) { b.attn.clip = bound })
}

// olmo2 is llama with norms after each part only, and on queries and keys over all heads at once (Team OLMo 2024, arXiv 2501.00656).
func olmo2(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.normsBehind(c)
	a.wholeNorms(c)
	return a
}

// normsBehind puts the norms of the blocks behind attention and MLP.
func (a *architecture) normsBehind(c *Config) {
	a.each(func(b *block, p string) {
		b.attnIn, b.mlpIn = norm{}, norm{}
		b.attnOut = norm{p + "post_attention_layernorm", rms, c.HiddenSize, c.NormEps}
		b.mlpOut = norm{p + "post_feedforward_layernorm", rms, c.HiddenSize, c.NormEps}
	})
}

// wholeNorms normalises queries and keys over all heads at once.
func (a *architecture) wholeNorms(c *Config) {
	a.each(func(b *block, p string) {
		b.attn.normWhole = true
		b.attn.queryNorm = norm{p + "self_attn.q_norm", rms, c.Heads * c.HeadDim, c.NormEps}
		b.attn.keyNorm = norm{p + "self_attn.k_norm", rms, c.KVHeads * c.HeadDim, c.NormEps}
	})
}

// olmo3 is olmo2 with a window on three of four layers, whose rotary embedding no scaling touches (Team OLMo 2025).
func olmo3(c *Config, f *fields) *architecture {
	a := olmo2(c, f)
	theta := f.plain().number(f.class.Theta.Global, "rope_theta")
	f.twoKinds(c, a, threeOfFour, theta, theta)
	return a
}

// twoKinds gives layers with and without a window a rotary embedding each, of these bases where no field says them.
func (f *fields) twoKinds(c *Config, a *architecture, sliding func(l int) bool, theta, localTheta float64) {
	full, local := f.layeredRope(c, "full_attention", theta), f.layeredRope(c, "sliding_attention", localTheta)
	c.RopeTheta = full.theta
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), sliding))
	for l, slides := range f.sliding(c, sliding) {
		a.blocks[l].attn.rope = full
		if slides {
			a.blocks[l].attn.rope = local
		}
	}
}

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
	a.setWindows(f.everyLayer(c))
	return a
}

// smollm3 is llama in which every fourth layer has no rotary embedding (Bakouch et al. 2025; NoPE layers after arXiv 2501.18795).
func smollm3(c *Config, f *fields) *architecture {
	a := llama(c, f)
	interval := f.integer(4, "no_rope_layer_interval")
	if interval < 1 {
		f.fail("no_rope_layer_interval is %d, expected 1 or more", interval)
		return a
	}
	with := read[[]int](f, "a list of 0 and 1", nil, "no_rope_layers") // despite its name: 1 = the layer has rope
	if with == nil {
		for l := range c.Layers {
			with = append(with, min(1, (l+1)%interval))
		}
	}
	if len(with) < c.Layers {
		f.fail("no_rope_layers has %d entries, expected one for each of the %d layers", len(with), c.Layers)
		return a
	}
	for i := range a.blocks {
		if with[i] == 0 {
			a.blocks[i].attn.rope = nil
		}
	}
	// layer_types, where they are there, count whatever use_sliding_window says.
	on := f.boolean(false, "use_sliding_window")
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), func(l int) bool { return on && with[l] == 0 }))
	return a
}

// projectionBias says which projections of the attention carry a bias.
func (a *architecture) projectionBias(in, out bool) {
	a.each(func(b *block, _ string) {
		b.attn.query.bias, b.attn.key.bias, b.attn.value.bias, b.attn.out.bias = in, in, in, out
	})
}
