"""Makes a tiny random checkpoint of every family with transformers, and its reference tensors beside it.

    python3 make_checkpoints.py OUT_DIR [NAME ...]

Each folder is one model: 3 layers (6 where five windowed layers go before one without), hidden size 32, 64 tokens in the vocabulary, and all that is
particular to the family turned on. No weight keeps the 0 or 1 that it starts with: a bias, norm or sink that a reader forgets shows. Weights are stored in
bfloat16, in float16 or float32 where TYPES says so, and the reference is computed in float32 from what is stored.
"""
import argparse
import os
import sys
import traceback

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from make_reference import load, reference

TOKENS, NEW = 20, 16  # of the reference: longer than every window below
LLAMA = dict(vocab_size=64, hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False)
SLIDING, FULL = "sliding_attention", "full_attention"


def llama(**rope):
    return dict(LLAMA, model_type="llama", rope_parameters=dict({"rope_theta": 10000.0, "rope_type": "default"}, **rope))


SHORT = {k: v for k, v in LLAMA.items() if k != "head_dim"}
OPT = dict(model_type="opt", vocab_size=64, hidden_size=32, ffn_dim=48, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=64, word_embed_proj_dim=32,
           bos_token_id=1, eos_token_id=2, pad_token_id=0)
FALCON = dict(model_type="falcon", vocab_size=64, hidden_size=32, ffn_hidden_size=48, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=64,
              bos_token_id=1, eos_token_id=2, tie_word_embeddings=True)
MODELS = {
    "llama": dict(llama(), attention_bias=True, mlp_bias=True),
    "llama-linear": llama(rope_type="linear", factor=4.0),
    "llama-dynamic": dict(llama(rope_type="dynamic", factor=4.0), max_position_embeddings=16),  # passed by the prompt
    "llama-llama3": llama(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
    "llama-yarn": llama(rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
    "mistral": dict(LLAMA, model_type="mistral", sliding_window=6),
    "qwen2": dict(LLAMA, model_type="qwen2", use_sliding_window=True, sliding_window=6, layer_types=[FULL, SLIDING, SLIDING], tie_word_embeddings=True),
    "qwen3": dict(LLAMA, model_type="qwen3", attention_bias=True, tie_word_embeddings=True),
    "gemma2": dict(LLAMA, model_type="gemma2", sliding_window=6, query_pre_attn_scalar=24, attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
                   layer_types=[SLIDING, FULL, SLIDING], tie_word_embeddings=True),
    "gemma3_text": dict(LLAMA, model_type="gemma3_text", sliding_window=6, query_pre_attn_scalar=24, num_hidden_layers=6, intermediate_size=24,
                        layer_types=5 * [SLIDING] + [FULL], tie_word_embeddings=True,
                        rope_parameters={SLIDING: {"rope_type": "default", "rope_theta": 10000.0},
                                         FULL: {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0}}),
    "gpt2": dict(model_type="gpt2", vocab_size=64, n_embd=32, n_layer=3, n_head=4, n_inner=48, n_positions=64, bos_token_id=1, eos_token_id=2),
    "gpt_neo": dict(model_type="gpt_neo", vocab_size=64, hidden_size=32, num_layers=4, num_heads=4, intermediate_size=48, max_position_embeddings=64,
                    attention_types=[[["global", "local"], 2]], window_size=6, bos_token_id=1, eos_token_id=2),
    "gpt_neox": dict(model_type="gpt_neox", vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
                     max_position_embeddings=64, use_parallel_residual=True, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
                     rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25}),
    "olmo2": dict(LLAMA, model_type="olmo2"),
    "phi3": dict({k: v for k, v in LLAMA.items() if k != "head_dim"}, model_type="phi3", sliding_window=6,
                 rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}),
    "smollm3": dict(LLAMA, model_type="smollm3", no_rope_layers=[1, 0, 1], use_sliding_window=False, tie_word_embeddings=True),
    "gpt_oss": dict(LLAMA, model_type="gpt_oss", intermediate_size=24, num_local_experts=4, num_experts_per_tok=2, sliding_window=6,
                    layer_types=[SLIDING, FULL, SLIDING],
                    rope_parameters={"rope_type": "yarn", "rope_theta": 150000.0, "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
                                     "original_max_position_embeddings": 16}),
    "olmo": dict(SHORT, model_type="olmo", clip_qkv=1.5),
    "olmo3": dict(SHORT, model_type="olmo3", sliding_window=6, num_hidden_layers=4, layer_types=3 * [SLIDING] + [FULL],
                  rope_parameters={SLIDING: {"rope_type": "default", "rope_theta": 10000.0},
                                   FULL: {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16}}),
    "olmoe": dict(SHORT, model_type="olmoe", intermediate_size=16, num_experts=4, num_experts_per_tok=2, clip_qkv=1.5),
    "granite": dict(SHORT, model_type="granite", embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2, attention_bias=True),
    "cohere": dict(SHORT, model_type="cohere", use_qk_norm=True, logit_scale=0.25, tie_word_embeddings=True),
    "cohere2": dict(SHORT, model_type="cohere2", logit_scale=0.25, sliding_window=6, layer_types=[SLIDING, FULL, SLIDING], tie_word_embeddings=True),
    "starcoder2": dict(SHORT, model_type="starcoder2", sliding_window=6, use_bias=True),
    "stablelm": dict(SHORT, model_type="stablelm", use_qkv_bias=True),
    "stablelm-parallel": dict(SHORT, model_type="stablelm", use_parallel_residual=True, qk_layernorm=True),
    "glm": dict(LLAMA, model_type="glm", attention_bias=True),
    "glm4": dict(LLAMA, model_type="glm4", attention_bias=True),
    "seed_oss": dict(LLAMA, model_type="seed_oss", attention_bias=True, attention_out_bias=False),
    "arcee": dict(LLAMA, model_type="arcee", mlp_bias=True),
    "nanochat": dict(SHORT, model_type="nanochat"),
    "apertus": dict(SHORT, model_type="apertus"),
    "ernie4_5": dict(LLAMA, model_type="ernie4_5", use_bias=True),
    "hunyuan_v1_dense": dict(LLAMA, model_type="hunyuan_v1_dense", rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "alpha": 1000.0, "factor": 1.0}),
    "exaone4": dict(SHORT, model_type="exaone4", sliding_window=6, layer_types=[SLIDING, FULL, SLIDING]),
    "gemma": dict(LLAMA, model_type="gemma", tie_word_embeddings=True),
    "gemma4_text": dict(LLAMA, model_type="gemma4_text", sliding_window=6, layer_types=[SLIDING, FULL, FULL], global_head_dim=16, hidden_size_per_layer_input=4,
                        vocab_size_per_layer_input=64, attention_k_eq_v=True, num_global_key_value_heads=1, final_logit_softcapping=5.0, tie_word_embeddings=True),
    "gemma4_text-shared": dict(LLAMA, model_type="gemma4_text", sliding_window=6, num_hidden_layers=4, layer_types=[SLIDING, FULL, SLIDING, FULL], global_head_dim=16,
                               hidden_size_per_layer_input=4, vocab_size_per_layer_input=64, num_kv_shared_layers=2, use_double_wide_mlp=True, intermediate_size=24,
                               tie_word_embeddings=True),
    "gptj": dict(model_type="gptj", vocab_size=64, n_embd=32, n_layer=3, n_head=4, n_inner=48, n_positions=64, rotary_dim=4, bos_token_id=1, eos_token_id=2),
    "opt": dict(OPT, tie_word_embeddings=True),
    "opt-350m": dict(OPT, do_layer_norm_before=False, word_embed_proj_dim=24, tie_word_embeddings=True),
    "phi": dict(SHORT, model_type="phi", qk_layernorm=True),
    "falcon": dict(FALCON, new_decoder_architecture=True, num_kv_heads=2),
    "falcon-7b": dict(FALCON, multi_query=True, parallel_attn=True),
    "falcon-rw": dict(FALCON, multi_query=False, parallel_attn=False, bias=True),
    "mixtral": dict(LLAMA, model_type="mixtral", intermediate_size=24, num_local_experts=4, num_experts_per_tok=2, sliding_window=6),
    "qwen2_moe": dict(SHORT, model_type="qwen2_moe", intermediate_size=24, moe_intermediate_size=16, shared_expert_intermediate_size=24, num_experts=4,
                      num_experts_per_tok=2, norm_topk_prob=False, mlp_only_layers=[1]),
    "qwen3_moe": dict(LLAMA, model_type="qwen3_moe", intermediate_size=24, moe_intermediate_size=16, num_experts=4, num_experts_per_tok=2, norm_topk_prob=True,
                      decoder_sparse_step=2),
    "ministral3": dict(LLAMA, model_type="ministral3", num_hidden_layers=2,
                       rope_parameters={"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                                        "llama_4_scaling_beta": 0.5, "original_max_position_embeddings": 6}),
}
TYPES = {"gpt2": torch.float32, "gpt_neo": torch.float16}  # bfloat16 elsewhere


def checkpoint(path, settings, dtype, seed):
    """Saves a model in which every weight is random: matrices about as large as training leaves them, the rest around where they start."""
    settings = dict(settings)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1:
                p.normal_(0, p.shape[-1] ** -0.5)
            else:
                p.add_(torch.randn_like(p) * 0.3)
        for name, b in model.named_buffers():
            if name.endswith("layer_scalar"):
                b.fill_(0.75)
    model.to(dtype).save_pretrained(path)
    generation = os.path.join(path, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    failed = False
    for number, (name, settings) in enumerate(MODELS.items()):
        if a.names and name not in a.names:
            continue
        path = os.path.join(a.out, name)
        try:
            checkpoint(path, settings, TYPES.get(name, torch.bfloat16), number)
            model = load(path)
            torch.manual_seed(number)
            ids = torch.randint(3, settings["vocab_size"], (1, TOKENS))
            ids[:, 0] = settings["bos_token_id"]
            save_file(reference(model, ids, NEW), os.path.join(path, "reference.safetensors"))
            print(name, {f: os.path.getsize(os.path.join(path, f)) for f in sorted(os.listdir(path))}, flush=True)
        except Exception:
            traceback.print_exc()
            print(name, "FAILED", flush=True)
            failed = True
    sys.exit(failed)
