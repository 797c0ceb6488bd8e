package model

import (
	"fmt"
	"math"
	"strconv"
)

// gemma2 has norms before and after each part, weights of norms stored as w for 1+w, soft caps on scores and logits, a window on every other
// layer, and embeddings times sqrt(hidden) (Gemma Team 2024, arXiv 2408.00118).
func gemma2(c *Config, f *fields) *architecture {
	a := gemma(c, f)
	a.softcap = f.number(0, "final_logit_softcapping")
	attn := f.number(0, "attn_logit_softcapping")
	for i := range a.blocks {
		a.blocks[i].attn.softcap = attn
	}
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), everyOther))
	return a
}

// gemma1 is llama with norms stored as w for 1+w and embeddings times sqrt(hidden) (Gemma Team 2024, arXiv 2403.08295).
func gemma1(c *Config, f *fields) *architecture {
	if f.text("", "hidden_act") == "gelu" { // the first published files say so and mean the approximation (transformers issue 29402)
		f.values["hidden_act"] = []byte(`"gelu_pytorch_tanh"`)
	}
	a := llama(c, f)
	a.embedScale = math.Sqrt(float64(c.HiddenSize))
	a.norm.kind = rmsPlusOne
	a.each(func(b *block, _ string) { b.attnIn.kind, b.mlpIn.kind = rmsPlusOne, rmsPlusOne })
	return a
}

// gemma is what Gemma 2 and 3 share.
func gemma(c *Config, f *fields) *architecture {
	a := llama(c, f)
	scalar := f.number(256, "query_pre_attn_scalar")
	if !(scalar > 0) {
		f.fail("query_pre_attn_scalar is %v, expected a positive number", scalar)
	}
	a.embedScale = math.Sqrt(float64(c.HiddenSize))
	a.norm.kind = rmsPlusOne
	a.each(func(b *block, p string) {
		b.attn.scale = 1 / math.Sqrt(scalar)
		b.attnIn.kind = rmsPlusOne
		b.attnOut = norm{p + "post_attention_layernorm", rmsPlusOne, c.HiddenSize, c.NormEps}
		b.mlpIn = norm{p + "pre_feedforward_layernorm", rmsPlusOne, c.HiddenSize, c.NormEps}
		b.mlpOut = norm{p + "post_feedforward_layernorm", rmsPlusOne, c.HiddenSize, c.NormEps}
	})
	return a
}

// gemma3 is Gemma 2 without soft caps, with norms on each head of queries and keys, five windowed layers to one without, and a rotary base for each
// of the two kinds (Gemma Team 2025, arXiv 2503.19786). Only the text model.
func gemma3(c *Config, f *fields) *architecture {
	a := gemma(c, f)
	a.headNorms(c, rmsPlusOne)
	a.softcap = f.number(0, "final_logit_softcapping")
	if f.boolean(false, "use_bidirectional_attention") {
		f.fail("use_bidirectional_attention is true: an encoder, not a decoder that generates")
	}
	period := f.plain().integer(6, "sliding_window_pattern")
	if period < 1 {
		f.fail("sliding_window_pattern is %d, expected 1 or more", period)
		return a
	}
	top := f.plain()
	f.twoKinds(c, a, func(l int) bool { return (l+1)%period != 0 },
		top.number(f.class.Theta.Global, "rope_theta"), top.number(f.class.Theta.Local, "rope_local_base_freq"))
	return a
}

// gemma4 has norms on values, too, heads of another width in the layers without a window, of which the rotary embedding turns a part, and inputs of every layer's own
// (Google 2026). In some sizes the last layers read the keys and values of earlier ones. Experts are refused by name.
func gemma4(c *Config, f *fields) *architecture {
	if f.plain().object("rope_parameters") == nil {
		f.values["rope_parameters"] = []byte(`{"sliding_attention":{"rope_type":"default","rope_theta":10000},
			"full_attention":{"rope_type":"proportional","partial_rotary_factor":0.25,"rope_theta":1000000}}`)
	}
	a := llama(c, f)
	sharing := f.integer(0, "num_kv_shared_layers")
	if sharing < 0 || sharing >= c.Layers {
		f.fail("num_kv_shared_layers is %d, expected fewer than the %d layers", sharing, c.Layers)
	}
	wide := f.boolean(false, "use_double_wide_mlp")
	a.embedScale, a.softcap = math.Sqrt(float64(c.HiddenSize)), f.number(0, "final_logit_softcapping")
	rule := func(l int) bool { return (l+1)%6 != 0 }
	slides, windows := f.sliding(c, rule), f.windows(c, f.integer(0, "sliding_window"), rule)
	slides[c.Layers-1], windows[c.Layers-1] = false, 0                           // whatever layer_types says
	if who := f.text("vision", "use_bidirectional_attention"); who != "vision" { // the tokens of images, which a text has none of
		f.fail("use_bidirectional_attention is %q: an encoder, not a decoder that generates", who)
	}
	keyIsValue := f.boolean(false, "attention_k_eq_v")
	widths, kvHeads := f.gemmaHeads(c, slides, keyIsValue)
	if f.err != nil {
		return a
	}
	ropes := map[string]*rope{}
	l := -1
	a.each(func(b *block, p string) {
		l++
		kind := "full_attention"
		if slides[l] {
			kind = "sliding_attention"
		}
		at := &b.attn
		at.window, at.headDim, at.scale = windows[l], widths[l], 1
		at.query.out, at.key.out, at.value.out, at.out.in = c.Heads*widths[l], kvHeads[l]*widths[l], kvHeads[l]*widths[l], c.Heads*widths[l]
		if kvHeads[l] != c.KVHeads {
			at.kvHeads = kvHeads[l]
		}
		at.queryNorm, at.keyNorm = norm{p + "self_attn.q_norm", rms, widths[l], c.NormEps}, norm{p + "self_attn.k_norm", rms, widths[l], c.NormEps}
		at.valueNorm = norm{p + "self_attn.v_norm", rmsBare, widths[l], c.NormEps}
		if keyIsValue && !slides[l] {
			at.valueIsKey, at.value = true, dense{}
		}
		key := fmt.Sprint(kind, widths[l])
		if ropes[key] == nil {
			layer := *c
			layer.HeadDim = widths[l]
			ropes[key] = f.layeredRope(&layer, kind, c.RopeTheta)
		}
		at.rope = ropes[key]
		b.attnOut = norm{p + "post_attention_layernorm", rms, c.HiddenSize, c.NormEps}
		b.mlpIn = norm{p + "pre_feedforward_layernorm", rms, c.HiddenSize, c.NormEps}
		b.mlpOut = norm{p + "post_feedforward_layernorm", rms, c.HiddenSize, c.NormEps}
		b.scalar = p + "layer_scalar"
	})
	f.gemmaPieces(c, a)
	f.gemmaShared(c, a, slides, c.Layers-sharing, wide)
	return a
}

// gemmaShared lets the layers from first on read keys and values of the last one before them of their kind.
func (f *fields) gemmaShared(c *Config, a *architecture, slides []bool, first int, wide bool) {
	slots := map[bool]int{}
	for l := first; l < c.Layers; l++ {
		b, kind := &a.blocks[l], slides[l]
		if slots[kind] == 0 {
			from := first - 1
			for from >= 0 && slides[from] != kind {
				from--
			}
			if from < 0 {
				f.fail("num_kv_shared_layers: layer %d has no layer of its kind before layer %d to read keys and values of", l, first)
				return
			}
			slots[kind] = len(a.shared) + 1
			a.shared = append(a.shared, 2*c.KVHeads*a.blocks[from].attn.headDim)
			a.blocks[from].attn.keysTo = slots[kind]
		}
		if own, source := 2*c.KVHeads*b.attn.headDim, a.shared[slots[kind]-1]; source != own {
			f.fail("num_kv_shared_layers: layer %d has keys of %d entries and reads %d", l, own/2, source/2)
		}
		b.attn.keysFrom = slots[kind]
		b.attn.key, b.attn.value, b.attn.keyNorm, b.attn.valueNorm, b.attn.valueIsKey = dense{}, dense{}, norm{}, norm{}, false
		for _, name := range []string{"k_proj.weight", "v_proj.weight", "k_norm.weight"} { // published files have them, and nothing reads them
			a.ignored = append(a.ignored, fmt.Sprintf("layers.%d.self_attn.%s", l, name))
		}
		if wide {
			b.mlp.gate.out, b.mlp.up.out, b.mlp.down.in = 2*c.IntermediateSize, 2*c.IntermediateSize, 2*c.IntermediateSize
		}
	}
}

// gemmaHeads are the widths of each layer's heads and the numbers of its key heads: per_layer_config, or global_head_dim and num_global_key_value_heads in the layers
// without a window, the second only where their values are their keys.
func (f *fields) gemmaHeads(c *Config, slides []bool, keyIsValue bool) (widths, kvHeads []int) {
	top := f.plain()
	type override struct {
		HeadDim *int `json:"head_dim"`
		KVHeads *int `json:"num_key_value_heads"`
	}
	given := read(top, "an object of layers", map[string]override(nil), "per_layer_config")
	globalWidth, globalHeads := top.integer(512, "global_head_dim"), c.KVHeads
	if keyIsValue {
		globalHeads = top.integer(c.KVHeads, "num_global_key_value_heads")
	}
	widths, kvHeads = make([]int, c.Layers), make([]int, c.Layers)
	for l := range widths {
		widths[l], kvHeads[l] = c.HeadDim, c.KVHeads
		if given == nil && !slides[l] {
			widths[l], kvHeads[l] = globalWidth, globalHeads
		}
	}
	for name, o := range given {
		l, err := strconv.Atoi(name)
		if err != nil || l < 0 || l >= c.Layers {
			f.fail("per_layer_config has %q, expected a layer below %d", name, c.Layers)
			continue
		}
		if o.KVHeads != nil {
			kvHeads[l] = *o.KVHeads
		}
		if o.HeadDim != nil {
			widths[l] = *o.HeadDim
		}
	}
	for l, w := range widths {
		if w < 2 || w > maxHeadDim || w%2 != 0 {
			f.fail("head_dim of layer %d is %d, expected an even number up to %d", l, w, maxHeadDim)
		}
		if n := kvHeads[l]; n < 1 || c.KVHeads%n != 0 {
			f.fail("num_key_value_heads of layer %d is %d, expected a divisor of the model's %d", l, n, c.KVHeads)
		}
	}
	return widths, kvHeads
}

// gemmaPieces gives every layer an input of its own.
func (f *fields) gemmaPieces(c *Config, a *architecture) {
	width, vocab := f.integer(0, "hidden_size_per_layer_input"), f.integer(c.VocabSize, "vocab_size_per_layer_input")
	if width == 0 {
		return
	}
	if width < 0 || width > maxConfigValue || vocab < c.VocabSize || vocab > maxConfigValue {
		f.fail("hidden_size_per_layer_input is %d with vocab_size_per_layer_input %d, expected positive numbers, the second at least the vocabulary's %d", width, vocab, c.VocabSize)
		return
	}
	a.perLayer = perLayer{width: width, embed: "model.embed_tokens_per_layer.weight", vocab: vocab,
		projection: dense{name: "model.per_layer_model_projection", in: c.HiddenSize, out: c.Layers * width},
		norm:       norm{"model.per_layer_projection_norm", rms, width, c.NormEps}}
	a.each(func(b *block, p string) {
		b.pieceGate = dense{name: p + "per_layer_input_gate", in: c.HiddenSize, out: width}
		b.pieceOut = dense{name: p + "per_layer_projection", in: width, out: c.HiddenSize}
		b.pieceNorm = norm{p + "post_per_layer_input_norm", rms, c.HiddenSize, c.NormEps}
	})
}
