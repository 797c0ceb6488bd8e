#!/usr/bin/env python3
"""Writes <family>.gguf, a tiny random model as llama.cpp's convert_hf_to_gguf.py lays it out, and families.safetensors with the logits that transformers computes
when it opens the file.

    pip install torch transformers==5.17.0 gguf==0.19.0 safetensors
    ./make_families.py
"""
import os

import gguf
import numpy as np
import torch
from gguf.constants import GGMLQuantizationType as Q
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
TINY = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
            max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.2)
FAMILIES = {
    "llama": dict(rope_parameters={"rope_type": "default", "rope_theta": 5000.0}, tie_word_embeddings=False),
    "qwen2": dict(rope_parameters={"rope_type": "default", "rope_theta": 1e6}, tie_word_embeddings=True),
    "qwen3": dict(rope_parameters={"rope_type": "default", "rope_theta": 1e6}, tie_word_embeddings=False),
    "gemma2": dict(query_pre_attn_scalar=8, sliding_window=8, attn_logit_softcapping=50.0, final_logit_softcapping=30.0),
    "gemma3_text": dict(query_pre_attn_scalar=8, sliding_window=8, layer_types=["sliding_attention", "full_attention"]),
    "phi3": dict(tie_word_embeddings=False),
}
ARCH = {"gemma3_text": "gemma3"}


def permute(w, heads):
    """What convert_hf_to_gguf.py does to the rows of Llama's rotated heads."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


logits = {}
for family, more in FAMILIES.items():
    config = AutoConfig.for_model(family, **{**TINY, **more})
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    for name, p in model.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(p, 0.0 if "gemma" in family else 1.0, 0.2)
        elif name.endswith("bias"):
            torch.nn.init.normal_(p, 0.0, 0.2)
    arch = ARCH.get(family, family)
    names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch], config.num_hidden_layers)
    path = os.path.join(here, family + ".gguf")
    w = gguf.GGUFWriter(path, arch)
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_key_length(8)
    w.add_value_length(8)
    w.add_rope_dimension_count(8)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters
    w.add_rope_freq_base(rope.get("full_attention", rope).get("rope_theta", 10000.0))
    w.add_vocab_size(config.vocab_size)
    if "gemma" in family:
        w.add_sliding_window(config.sliding_window)
    if family == "gemma3_text":
        w.add_sliding_window_pattern(2)
    if family == "gemma2":
        w.add_attn_logit_softcapping(config.attn_logit_softcapping)
        w.add_final_logit_softcapping(config.final_logit_softcapping)
    w.add_tokenizer_model("none")
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    for name, p in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        x = p.float().numpy()
        if arch == "llama" and "q_proj" in name:
            x = permute(x, config.num_attention_heads)
        if arch == "llama" and "k_proj" in name:
            x = permute(x, config.num_key_value_heads)
        if "gemma" in family and name.endswith("norm.weight"):
            x = x + 1
        kind = Q.F32 if x.ndim < 2 else Q.F16 if "attn" in name else Q.Q8_0
        w.add_tensor(stored, gguf.quants.quantize(x, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    # The configuration is given: transformers forgets head_dim, windows and caps of some families when it reads them from the metadata.
    read = AutoModelForCausalLM.from_pretrained(here, gguf_file=family + ".gguf", config=config, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.tensor([[1] + [(i * 7 + i * i) % 61 + 3 for i in range(23)]])
    with torch.no_grad():
        out = read(ids).logits
        direct = model.float().eval()(ids).logits
    print(family, "transformers on the file against the model before quantisation: at most", float((out - direct).abs().max()), "of", float(direct.abs().max()), os.path.getsize(path))
    logits[family] = out[0].contiguous()
logits["input_ids"] = ids.to(torch.int32)
save_file(logits, os.path.join(here, "families.safetensors"))
os.chmod(os.path.join(here, "families.safetensors"), 0o644)
