package model

import "math"

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
