package model

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
	size := f.integer(0, "sliding_window")
	if !f.boolean(false, "use_sliding_window") {
		size = 0
	}
	a.setWindows(f.windows(c, size, func(l int) bool { return with[l] == 0 }))
	return a
}
