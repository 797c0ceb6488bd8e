package model

import "math"

// gptNeo is GPT-2 with separate projections, scores that are not scaled, and a window on its local layers (Black et al. 2021).
func gptNeo(c *Config, f *fields) *architecture {
	act := f.activation()
	local, size := gptNeoLocal(c, f), f.integer(256, "window_size")
	if size < 1 {
		f.fail("window_size is %d, expected 1 or more", size)
	}
	a := gptBase(c)
	a.ignored = []string{".attn.attention.bias", ".attn.attention.masked_bias"} // causal masks that old versions of transformers saved
	a.addLayers(c, func(l int, p string) block {
		linear := func(name string, in, out int, bias bool) dense {
			return dense{name: p + name, in: in, out: out, bias: bias}
		}
		h := c.HiddenSize
		b := block{
			attnIn: norm{p + "ln_1", layerNorm, h, c.NormEps},
			attn: attention{
				query: linear("attn.attention.q_proj", h, h, false),
				key:   linear("attn.attention.k_proj", h, h, false),
				value: linear("attn.attention.v_proj", h, h, false),
				out:   linear("attn.attention.out_proj", h, h, true),
				scale: 1,
			},
			mlpIn: norm{p + "ln_2", layerNorm, h, c.NormEps},
			mlp:   mlp{up: linear("mlp.c_fc", h, c.IntermediateSize, true), down: linear("mlp.c_proj", c.IntermediateSize, h, true), act: act},
		}
		if local[l] {
			b.attn.window = size
		}
		return b
	})
	f.oneHeadEach(c)
	return a
}

// gptNeoLocal reads which layers are local: attention_layers, or attention_types, a list of (pattern, repetitions).
func gptNeoLocal(c *Config, f *fields) []bool {
	names := read[[]string](f, "a list of strings", nil, "attention_layers")
	if names == nil {
		for _, group := range read(f, "a list", []any{[]any{[]any{"global", "local"}, float64(c.Layers)}}, "attention_types") {
			pair, _ := group.([]any)
			if len(pair) != 2 {
				f.fail("attention_types holds %v, expected a pattern and how often it repeats", group)
				break
			}
			pattern, _ := pair[0].([]any)
			times, _ := pair[1].(float64)
			if len(pattern) == 0 {
				f.fail("attention_types holds an empty pattern, expected global or local at least once")
				break
			}
			for i := 0; i < int(times) && len(names) < c.Layers; i++ {
				for _, p := range pattern {
					name, _ := p.(string)
					names = append(names, name)
				}
			}
		}
	}
	local := make([]bool, c.Layers)
	if len(names) < c.Layers {
		f.fail("attention_types describes %d layers, expected %d", len(names), c.Layers)
		return local
	}
	for l := range local {
		switch names[l] {
		case "local":
			local[l] = true
		case "global":
		default:
			f.fail("attention_types holds %q, expected global or local", names[l])
		}
	}
	return local
}

// gpt2 has learned positions, LayerNorm, biases everywhere and a plain MLP (Radford et al. 2019). Its products are stored as [in, out].
func gpt2(c *Config, f *fields) *architecture {
	act := f.activation()
	scaled, byLayer := f.boolean(true, "scale_attn_weights"), f.boolean(false, "scale_attn_by_inverse_layer_idx")
	a := gptBase(c)
	a.ignored = []string{".attn.bias", ".attn.masked_bias"} // causal masks that old versions of transformers saved
	a.addLayers(c, func(l int, p string) block {
		conv := func(name string, in, out int) dense {
			return dense{name: p + name, in: in, out: out, bias: true, transposed: true}
		}
		b := block{
			attnIn: norm{p + "ln_1", layerNorm, c.HiddenSize, c.NormEps},
			attn:   attention{fused: conv("attn.c_attn", c.HiddenSize, 3*c.HiddenSize), out: conv("attn.c_proj", c.HiddenSize, c.HiddenSize), scale: 1},
			mlpIn:  norm{p + "ln_2", layerNorm, c.HiddenSize, c.NormEps},
			mlp:    mlp{up: conv("mlp.c_fc", c.HiddenSize, c.IntermediateSize), down: conv("mlp.c_proj", c.IntermediateSize, c.HiddenSize), act: act},
		}
		if scaled {
			b.attn.scale = 1 / math.Sqrt(float64(c.HeadDim))
		}
		if byLayer {
			b.attn.scale /= float64(l + 1)
		}
		return b
	})
	f.oneHeadEach(c)
	return a
}

// gptBase is what GPT-2 and GPT-Neo share outside their layers.
func gptBase(c *Config) *architecture {
	c.RopeTheta = 0
	return &architecture{
		prefix: "transformer.", layers: "transformer.h.", embed: "transformer.wte.weight", positions: "transformer.wpe.weight", head: "lm_head.weight",
		norm: norm{"transformer.ln_f", layerNorm, c.HiddenSize, c.NormEps},
	}
}

// oneHeadEach refuses what the families before grouped queries cannot have: their projections are all hidden_size wide.
func (f *fields) oneHeadEach(c *Config) {
	if c.KVHeads != c.Heads || c.Heads*c.HeadDim != c.HiddenSize {
		f.fail("hidden_size %d is not %d heads of %d with as many key heads (found %d)", c.HiddenSize, c.Heads, c.HeadDim, c.KVHeads)
	}
}

// gptNeoX has attention and MLP side by side, a rotary embedding on part of each head, and one product for queries, keys and values, stored head by head
// (Black et al. 2022; the Pythia models).
func gptNeoX(c *Config, f *fields) *architecture {
	act, bias, parallel := f.activation(), f.boolean(true, "attention_bias"), f.boolean(true, "use_parallel_residual")
	rope := f.rope(c)
	c.RopeTheta = rope.theta
	h := c.HiddenSize
	a := &architecture{
		prefix: "gpt_neox.", layers: "gpt_neox.layers.", embed: "gpt_neox.embed_in.weight", head: "embed_out.weight",
		norm:    norm{"gpt_neox.final_layer_norm", layerNorm, h, c.NormEps},
		ignored: []string{".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"}, // masks and tables that old versions of transformers saved
	}
	a.addLayers(c, func(_ int, p string) block {
		return block{
			parallel: parallel,
			attnIn:   norm{p + "input_layernorm", layerNorm, h, c.NormEps},
			attn: attention{
				fused: dense{name: p + "attention.query_key_value", in: h, out: 3 * h, bias: bias}, interleaved: true,
				out:  dense{name: p + "attention.dense", in: h, out: h, bias: bias},
				rope: rope, scale: 1 / math.Sqrt(float64(c.HeadDim)),
			},
			mlpIn: norm{p + "post_attention_layernorm", layerNorm, h, c.NormEps},
			mlp: mlp{
				up:   dense{name: p + "mlp.dense_h_to_4h", in: h, out: c.IntermediateSize, bias: true},
				down: dense{name: p + "mlp.dense_4h_to_h", in: c.IntermediateSize, out: h, bias: true},
				act:  act,
			},
		}
	})
	f.oneHeadEach(c)
	return a
}

// gptJ has attention and MLP side by side behind one norm, neighbouring entries of a part of each head rotated against each other, and a head with a bias (Wang and
// Komatsuzaki 2021).
func gptJ(c *Config, f *fields) *architecture {
	act, dim, h := f.activation(), f.integer(0, "rotary_dim"), c.HiddenSize
	if dim < 2 || dim > c.HeadDim || dim%2 != 0 {
		f.fail("rotary_dim is %d, expected an even number from 2 to the %d of a head", dim, c.HeadDim)
		return &architecture{}
	}
	r := &rope{dim: dim, factor: 1, theta: c.RopeTheta, pairs: true}
	for i := range dim / 2 {
		r.inverse = append(r.inverse, math.Pow(r.theta, -2*float64(i)/float64(dim)))
	}
	a := gptBase(c)
	c.RopeTheta = r.theta
	a.positions, a.headBias = "", "lm_head.bias"
	a.ignored = []string{".attn.bias", ".attn.masked_bias", ".attn.embed_positions"} // masks and tables that old versions of transformers saved
	a.addLayers(c, func(_ int, p string) block {
		linear := func(name string, in, out int, bias bool) dense {
			return dense{name: p + name, in: in, out: out, bias: bias}
		}
		return block{
			parallel: true, oneNorm: true,
			attnIn: norm{p + "ln_1", layerNorm, h, c.NormEps},
			attn: attention{
				query: linear("attn.q_proj", h, h, false), key: linear("attn.k_proj", h, h, false), value: linear("attn.v_proj", h, h, false),
				out: linear("attn.out_proj", h, h, false), rope: r, scale: 1 / math.Sqrt(float64(c.HeadDim)),
			},
			mlp: mlp{up: linear("mlp.fc_in", h, c.IntermediateSize, true), down: linear("mlp.fc_out", c.IntermediateSize, h, true), act: act},
		}
	})
	f.oneHeadEach(c)
	return a
}

// phi has attention and MLP side by side behind one norm, a rotary embedding on half of each head, biases, and a head with one (Li et al. 2023, arXiv
// 2309.05463).
func phi(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.centred()
	a.projectionBias(true, true)
	a.plainMLP(c, "fc1", "fc2", true)
	a.headNormsIf(c, f, "qk_layernorm", "q_layernorm", "k_layernorm", layerNorm)
	a.norm.name, a.headBias = "model.final_layernorm", "lm_head.bias"
	a.each(func(b *block, p string) {
		b.parallel, b.oneNorm, b.mlpIn = true, true, norm{}
		b.attn.out.name = p + "self_attn.dense"
	})
	return a
}

// opt has learned positions, LayerNorm before each part or behind each sum, a plain MLP, and in one size an embedding narrower than the residual stream (Zhang et
// al. 2022, arXiv 2205.01068).
func opt(c *Config, f *fields) *architecture {
	act, bias, before := f.activation(), f.boolean(true, "enable_bias"), f.boolean(true, "do_layer_norm_before")
	kind, h := layerNorm, c.HiddenSize
	if !f.boolean(true, "layer_norm_elementwise_affine") {
		kind = layerNormBare
	}
	c.RopeTheta = 0
	const p = "model.decoder."
	a := &architecture{prefix: "model.", layers: p + "layers.", embed: p + "embed_tokens.weight", positions: p + "embed_positions.weight", positionsAt: 2, head: "lm_head.weight"}
	if width := f.integer(h, "word_embed_proj_dim"); width != h {
		if width < 1 || width > maxConfigValue {
			f.fail("word_embed_proj_dim is %d, expected 1 to %d", width, maxConfigValue)
		}
		a.embedWidth = width
		a.embedIn, a.headIn = dense{name: p + "project_in", in: width, out: h}, dense{name: p + "project_out", in: h, out: width}
	}
	if !f.boolean(false, "_remove_final_layer_norm") && before {
		a.norm = norm{p + "final_layer_norm", kind, h, c.NormEps}
	}
	a.addLayers(c, func(_ int, p string) block {
		linear := func(name string, in, out int) dense { return dense{name: p + name, in: in, out: out, bias: bias} }
		b := block{
			attn: attention{
				query: linear("self_attn.q_proj", h, h), key: linear("self_attn.k_proj", h, h), value: linear("self_attn.v_proj", h, h),
				out: linear("self_attn.out_proj", h, h), scale: 1 / math.Sqrt(float64(c.HeadDim)),
			},
			mlp: mlp{up: linear("fc1", h, c.IntermediateSize), down: linear("fc2", c.IntermediateSize, h), act: act},
		}
		first, second := norm{p + "self_attn_layer_norm", kind, h, c.NormEps}, norm{p + "final_layer_norm", kind, h, c.NormEps}
		if before {
			b.attnIn, b.mlpIn = first, second
		} else {
			b.normSum, b.attnOut, b.mlpOut = true, first, second
		}
		return b
	})
	f.oneHeadEach(c)
	return a
}

// falcon has attention and MLP side by side behind one norm or two, and queries, keys and values in one product, in one of three orders: all query heads and one key
// head (7B), group by group (the new decoder of 40B and later), or head by head (Almazrouei et al. 2023, arXiv 2311.16867).
func falcon(c *Config, f *fields) *architecture {
	act, bias, grouped, one := f.activation(), f.boolean(false, "bias"), f.boolean(false, "new_decoder_architecture"), f.boolean(true, "multi_query")
	parallel, norms := f.boolean(true, "parallel_attn"), f.integer(0, "num_ln_in_parallel_attn")
	if f.boolean(false, "alibi") {
		f.fail("alibi is true: positions by a bias of the scores are not computed, expected the rotary embedding")
	}
	c.KVHeads = f.integer(c.Heads, "num_kv_heads")
	switch {
	case grouped && norms == 0:
		norms = 2
	case grouped:
	case one:
		c.KVHeads = 1
	case c.KVHeads != c.Heads:
		f.fail("num_kv_heads is %d without the new decoder architecture, expected one for each of the %d heads", c.KVHeads, c.Heads)
	}
	if c.KVHeads < 1 || c.Heads%c.KVHeads != 0 || c.Heads*c.HeadDim != c.HiddenSize {
		f.fail("hidden_size %d is not %d heads of %d in %d groups (num_kv_heads)", c.HiddenSize, c.Heads, c.HeadDim, c.KVHeads)
		return &architecture{}
	}
	if !parallel && grouped {
		f.fail("parallel_attn is false in the new decoder architecture, expected true")
	}
	rope, h := f.rope(c), c.HiddenSize
	c.RopeTheta = rope.theta
	a := &architecture{prefix: "transformer.", layers: "transformer.h.", embed: "transformer.word_embeddings.weight", head: "lm_head.weight",
		norm: norm{"transformer.ln_f", layerNorm, h, c.NormEps}, ignored: []string{".rotary_emb.inv_freq", ".maybe_rotary.inv_freq"}}
	a.addLayers(c, func(_ int, p string) block {
		linear := func(name string, in, out int) dense { return dense{name: p + name, in: in, out: out, bias: bias} }
		b := block{
			parallel: parallel, oneNorm: parallel && norms != 2,
			attnIn: norm{p + "input_layernorm", layerNorm, h, c.NormEps},
			attn: attention{
				fused: linear("self_attention.query_key_value", h, (c.Heads+2*c.KVHeads)*c.HeadDim), interleaved: grouped || !one,
				out: linear("self_attention.dense", h, h), rope: rope, scale: 1 / math.Sqrt(float64(c.HeadDim)),
			},
			mlp: mlp{up: linear("mlp.dense_h_to_4h", h, c.IntermediateSize), down: linear("mlp.dense_4h_to_h", c.IntermediateSize, h), act: act},
		}
		switch {
		case !parallel:
			b.mlpIn = norm{p + "post_attention_layernorm", layerNorm, h, c.NormEps}
		case norms == 2:
			b.attnIn.name, b.mlpIn = p+"ln_attn", norm{p + "ln_mlp", layerNorm, h, c.NormEps}
		}
		return b
	})
	return a
}
