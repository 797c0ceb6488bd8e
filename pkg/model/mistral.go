package model

// mistral is llama with a sliding window over every layer (Jiang et al. 2023).
func mistral(c *Config, f *fields) *architecture {
	a := llama(c, f)
	window := f.integer(4096, "sliding_window")
	if f.null("sliding_window") {
		window = 0
	}
	a.setWindows(f.windows(c, window, func(int) bool { return true }))
	return a
}
