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
