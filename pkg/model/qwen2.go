package model

// qwen2 is llama with biases on queries, keys and values (Yang et al. 2024), and windows on its upper layers where they are turned on.
func qwen2(c *Config, f *fields) *architecture {
	a := llama(c, f)
	for i := range a.blocks {
		at := &a.blocks[i].attn
		at.query.bias, at.key.bias, at.value.bias, at.out.bias = true, true, true, false
	}
	a.setWindows(qwenWindows(c, f))
	return a
}

// qwenWindows: layers from max_window_layers on slide, if use_sliding_window says so.
func qwenWindows(c *Config, f *fields) []int {
	size := f.integer(4096, "sliding_window")
	if !f.boolean(false, "use_sliding_window") || f.null("sliding_window") {
		size = 0
	}
	first := f.integer(28, "max_window_layers")
	return f.windows(c, size, func(l int) bool { return l >= first })
}
