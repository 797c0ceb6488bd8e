package model

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
