package model

import "math"

// gptNeoX has attention and MLP side by side, a rotary embedding on part of each head, and one product for queries, keys and values, stored head by head
// (Black et al. 2022; the Pythia models).
func gptNeoX(c *Config, f *fields) *architecture {
	act, bias, parallel := f.activation(), f.boolean(true, "attention_bias"), f.boolean(true, "use_parallel_residual")
	rope := f.rope(c, "full_attention", 0.25)
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
