package model

import "math"

// llama is the decoder of Touvron et al. 2023: RMSNorm before each part, rotary embedding, gated MLP. Most later families are it with a few
// changes, so their files begin with a call to this one.
func llama(c *Config, f *fields) *architecture {
	rope := f.rope(c, "full_attention", 1)
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

// setWindows gives each layer its window.
func (a *architecture) setWindows(windows []int) {
	for i, w := range windows {
		a.blocks[i].attn.window = w
	}
}
