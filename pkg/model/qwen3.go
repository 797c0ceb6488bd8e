package model

// qwen3 is llama with RMSNorm on each head of queries and keys (Yang et al. 2025, arXiv 2505.09388).
func qwen3(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.headNorms(c, rms)
	a.setWindows(qwenWindows(c, f))
	return a
}
