package model

import (
	"encoding/json"
	"math"
	"strings"
)

// The families of this file are llama with one or two things of their own.

// granite is llama with factors on embeddings, scores, residuals and logits (Granite Team 2024).
func granite(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.embedScale = f.factor("embedding_multiplier")
	a.logitScale = 1 / f.factor("logits_scaling")
	scale, residual := f.factor("attention_multiplier"), f.factor("residual_multiplier")
	a.each(func(b *block, _ string) { b.attn.scale, b.residual = scale, residual })
	return a
}

// factor reads a number that something is multiplied by.
func (f *fields) factor(name string) float64 {
	x := f.number(1, name)
	if !(x > 0) || math.IsInf(x, 0) {
		f.fail("%s is %v, expected a positive number", name, x)
		return 1
	}
	return x
}

// cohere has attention and MLP side by side behind one norm without biases, neighbouring entries of a head rotated against each other, and scaled logits; in its
// larger models norms on queries and keys with weights of each head's own (Cohere 2024, Command R and R+).
func cohere(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.logitScale = f.factor("logit_scale")
	a.norm.kind = layerNormNoBias
	a.each(func(b *block, _ string) {
		b.attnIn.kind, b.mlpIn = layerNormNoBias, norm{}
		b.parallel, b.oneNorm = true, true
		b.attn.rope.pairs = true
	})
	a.headNormsIf(c, f, "use_qk_norm", "q_norm", "k_norm", layerNormHeads) // cohere2's class has no such field
	return a
}

// cohere2 is cohere with a window on three of four layers, and no positions in the others (Cohere 2024, Command R7B).
func cohere2(c *Config, f *fields) *architecture {
	a := cohere(c, f)
	period := f.plain().integer(4, "sliding_window_pattern")
	if period < 1 {
		f.fail("sliding_window_pattern is %d, expected 1 or more", period)
		return a
	}
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), func(l int) bool { return (l+1)%period != 0 }))
	for i := range a.blocks {
		if at := &a.blocks[i].attn; at.window == 0 {
			at.rope = nil
		}
	}
	return a
}

// centred turns a decoder's norms into LayerNorms, whose epsilon is read under another name.
func (a *architecture) centred() {
	a.norm.kind = layerNorm
	a.each(func(b *block, _ string) { b.attnIn.kind, b.mlpIn.kind = layerNorm, layerNorm })
}

// plainMLP replaces the gated MLPs by down(act(up(x))) with modules of these names.
func (a *architecture) plainMLP(c *Config, up, down string, bias bool) {
	a.each(func(b *block, p string) {
		b.mlp = mlp{
			up:   dense{name: p + "mlp." + up, in: c.HiddenSize, out: c.IntermediateSize, bias: bias},
			down: dense{name: p + "mlp." + down, in: c.IntermediateSize, out: c.HiddenSize, bias: bias},
			act:  b.mlp.act,
		}
	})
}

// starcoder2 has LayerNorm, a plain MLP, biases and in some checkpoints a window (Lozhkov et al. 2024, arXiv 2402.19173).
func starcoder2(c *Config, f *fields) *architecture {
	bias := f.boolean(true, "use_bias")
	a := llama(c, f)
	a.centred()
	a.projectionBias(bias, bias)
	a.plainMLP(c, "c_fc", "c_proj", bias)
	a.setWindows(f.everyLayer(c))
	return a
}

// stableLM has LayerNorm, rotates a part of each head, and in some checkpoints has attention and MLP side by side and norms on queries and keys with weights of each
// head's own (Stability AI 2023; StableLM 2 12B).
func stableLM(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.centred()
	a.projectionBias(f.boolean(false, "use_qkv_bias"), false)
	a.headNormsIf(c, f, "qk_layernorm", "q_layernorm", "k_layernorm", layerNormApart)
	if f.boolean(false, "use_parallel_residual") {
		a.each(func(b *block, _ string) { b.parallel, b.oneNorm, b.mlpIn = true, true, norm{} })
	}
	return a
}

// glm has gate and up in one product and rotates neighbouring entries of half of each head (Team GLM 2024, arXiv 2406.12793).
func glm(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.projectionBias(c.AttentionBias, false)
	a.each(func(b *block, p string) {
		b.attn.rope.pairs = true
		b.mlp.gate, b.mlp.up = dense{}, dense{}
		b.mlp.gateUp = dense{name: p + "mlp.gate_up_proj", in: c.HiddenSize, out: 2 * c.IntermediateSize}
	})
	return a
}

// glm4 is glm with norms behind attention and MLP, too (Z.ai 2025, GLM-4-0414).
func glm4(c *Config, f *fields) *architecture {
	a := glm(c, f)
	a.each(func(b *block, p string) {
		b.attnOut = norm{p + "post_self_attn_layernorm", rms, c.HiddenSize, c.NormEps}
		b.mlpOut = norm{p + "post_mlp_layernorm", rms, c.HiddenSize, c.NormEps}
	})
	return a
}

// seedOSS is llama with its own bias on the attention's output (ByteDance Seed 2025).
func seedOSS(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.projectionBias(c.AttentionBias, f.boolean(false, "attention_out_bias"))
	return a
}

// arcee is llama with a plain MLP of squared ReLU (Arcee AI 2025, AFM).
func arcee(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.plainMLP(c, "up_proj", "down_proj", c.MLPBias)
	return a
}

// nanochat has norms without weights, one of them behind the embedding and one behind the rotation of queries and keys, which turns the other way, and a plain
// MLP of squared ReLU (Karpathy 2025).
func nanochat(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.softcap = f.number(0, "final_logit_softcapping")
	a.norm.kind = rmsBare
	a.embedNorm = norm{"embedding", rmsBare, c.HiddenSize, c.NormEps}
	a.plainMLP(c, "fc1", "fc2", false)
	a.each(func(b *block, p string) {
		b.attnIn.kind, b.mlpIn.kind = rmsBare, rmsBare
		b.attn.normRotated = true
		b.attn.queryNorm = norm{p + "self_attn.q_norm", rmsBare, c.HeadDim, c.NormEps}
		b.attn.keyNorm = norm{p + "self_attn.k_norm", rmsBare, c.HeadDim, c.NormEps}
	})
	if r := a.blocks[0].attn.rope; r != nil {
		for i := range r.inverse {
			r.inverse[i] = -r.inverse[i]
		}
		for i := range r.long {
			r.long[i] = -r.long[i]
		}
	}
	return a
}

// apertus has norms on each head of queries and keys and a plain MLP with an activation that learns two numbers (Project Apertus 2025, arXiv 2509.14233).
func apertus(c *Config, f *fields) *architecture {
	if top := f.plain(); top.object("rope_parameters") == nil && top.object("rope_scaling") == nil {
		f.values["rope_parameters"] = []byte(`{"rope_type":"llama3","rope_theta":12000000,"factor":8,"original_max_position_embeddings":8192,"low_freq_factor":1,"high_freq_factor":4}`)
	}
	learned := f.text("", "hidden_act") == "xielu"
	if learned {
		f.values["hidden_act"] = []byte(`"silu"`) // not used
	}
	a := llama(c, f)
	a.headNorms(c, rms)
	a.plainMLP(c, "up_proj", "down_proj", false)
	a.ignored = append(a.ignored, ".act_fn.beta", ".act_fn.eps") // constants
	a.each(func(b *block, p string) {
		b.attnIn.name, b.mlpIn.name = p+"attention_layernorm", p+"feedforward_layernorm"
		if learned {
			b.mlp.xielu = p + "mlp.act_fn"
		}
	})
	return a
}

// ernie is llama with neighbouring entries of a head rotated against each other (Baidu 2025, ERNIE 4.5).
func ernie(c *Config, f *fields) *architecture {
	bias := f.boolean(false, "use_bias")
	c.MLPBias = bias
	a := llama(c, f)
	a.projectionBias(bias, bias)
	a.each(func(b *block, _ string) { b.attn.rope.pairs = true })
	return a
}

// hunyuan is llama with norms on each head of queries and keys behind the rotation (Tencent 2025).
func hunyuan(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.each(func(b *block, p string) {
		b.attn.normRotated = true
		b.attn.queryNorm = norm{p + "self_attn.query_layernorm", rms, c.HeadDim, c.NormEps}
		b.attn.keyNorm = norm{p + "self_attn.key_layernorm", rms, c.HeadDim, c.NormEps}
	})
	return a
}

// exaone4 has olmo2's norms of blocks and qwen3's of heads, and in its larger models a window on three of four layers and no positions in the others (LG AI
// Research 2025, arXiv 2507.11407).
func exaone4(c *Config, f *fields) *architecture {
	a := llama(c, f)
	a.normsBehind(c)
	a.headNorms(c, rms)
	size, pattern := f.integer(0, "sliding_window"), f.lookup("sliding_window_pattern")
	slides := func(int) bool { return false }
	if size != 0 && f.plain().lookup("layer_types") == nil {
		slides = f.slidingPattern(pattern)
	}
	a.setWindows(f.windows(c, size, slides))
	if size == 0 { // then all layers have positions, whatever layer_types says
		return a
	}
	for i := range a.blocks {
		if at := &a.blocks[i].attn; at.window == 0 {
			at.rope = nil
		}
	}
	return a
}

// slidingPattern reads which layers slide: every layer but each n-th, or by letters that repeat, L for a layer with a window and G for one without.
func (f *fields) slidingPattern(raw json.RawMessage) func(l int) bool {
	var period int
	var letters string
	switch {
	case json.Unmarshal(raw, &period) == nil && period >= 1:
		return func(l int) bool { return (l+1)%period != 0 }
	case json.Unmarshal(raw, &letters) == nil && letters != "" && strings.Trim(letters, "LG") == "":
		return func(l int) bool { return letters[l%len(letters)] == 'L' }
	}
	f.fail("sliding_window_pattern is %s, expected 1 or more, or letters L and G", shorten(raw))
	return func(int) bool { return false }
}
