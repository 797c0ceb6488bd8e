#!/usr/bin/env python3
"""Writes configs.jsonl.gz: for every family 160 config.json as transformers writes them, or as people leave them, each with the values that transformers reads.

    pip install torch transformers==5.24.0
    ./make_configs.py
"""
import gzip
import importlib
import json
import os
import random
import warnings

warnings.filterwarnings("ignore")
import torch
from transformers import logging
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

logging.set_verbosity_error()
here = os.path.dirname(os.path.abspath(__file__))
FAMILIES = list(json.load(open(os.path.join(here, "..", "defaults.json"))))
FAMILIES = [f for f in FAMILIES if f not in ("gemma4_text", "helium")]
N = 160
ACTS = ["silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu"]
random.seed(7)


def rope(head_dim, layered):
    half = head_dim // 2
    kinds = {
        "default": {},
        "linear": {"factor": random.choice([2.0, 4.0, 8.0])},
        "dynamic": {"factor": random.choice([2.0, 4.0])},
        "yarn": {"factor": random.choice([4.0, 32.0]), "original_max_position_embeddings": random.choice([64, 256]),
                 **random.choice([{}, {"beta_fast": 16.0, "beta_slow": 2.0}, {"attention_factor": 1.25}, {"mscale": 0.7, "mscale_all_dim": 1.2}, {"truncate": False}])},
        "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": random.choice([128, 1024])},
        "longrope": {"factor": 4.0, "short_factor": [1.0 + i / 8 for i in range(half)], "long_factor": [2.0 + i / 4 for i in range(half)],
                     "original_max_position_embeddings": 128},
    }
    kind = random.choice(list(kinds) if not layered else ["default", "linear", "yarn"])
    out = {"rope_type": kind, **kinds[kind]}
    if random.random() < 0.7:
        out["rope_theta"] = random.choice([5000.0, 10000.0, 500000.0, 1e6])
    return out


def settings(family, cls):
    names = set(cls.__dataclass_fields__) | set(cls.attribute_map)
    heads = random.choice([2, 4, 8])
    head_dim = random.choice([8, 16, 32])
    layers = random.choice([2, 3, 6])
    s = dict(vocab_size=random.choice([64, 100]), num_hidden_layers=layers, num_attention_heads=heads, hidden_size=heads * head_dim,
             max_position_embeddings=random.choice([256, 512]), bos_token_id=random.choice([None, 1]), eos_token_id=random.choice([None, 2, [2, 5]]), pad_token_id=0)

    def maybe(name, *values, often=0.5):
        if name in names and random.random() < often:
            s[name] = random.choice(values)

    if family == "gpt_neo":
        s["attention_types"] = [[["global", "local"][: random.choice([1, 2])], layers]]
        s["attention_types"] = [[random.choice([["global"], ["local"], ["local", "global"]]), 1], [["global"], layers]] if random.random() < 0.5 else s["attention_types"]
        total = sum(len(p) * n for p, n in s["attention_types"])
        s["num_layers"] = total
        del s["num_hidden_layers"]
        maybe("window_size", 8, 16)
    for name in ("intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner"):
        maybe(name, 48, 96, often=0.8)
    if "num_key_value_heads" in names:
        s["num_key_value_heads"] = random.choice([1, heads, heads // 2])
    maybe("num_kv_heads", 1, heads // 2)
    maybe("head_dim", 8, 16, 24)
    for name in ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"):
        maybe(name, 1e-5, 1e-6, 3e-4)
    for name in ("hidden_act", "hidden_activation", "activation_function", "activation"):
        maybe(name, *ACTS, often=0.4)
    for name in ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_bias", "use_qkv_bias", "enable_bias", "bias", "use_parallel_residual", "scale_attn_weights",
                 "scale_attn_by_inverse_layer_idx", "new_decoder_architecture", "multi_query", "attention_out_bias", "norm_topk_prob", "qkv_bias"):
        maybe(name, True, False, often=0.4)
    maybe("rotary_dim", 4, 8, often=1)
    if "rotary_dim" in s:
        s["rotary_dim"] = min(s["rotary_dim"], head_dim)
    maybe("sliding_window", 16, 32, None, often=0.6)
    maybe("use_sliding_window", True, False)
    maybe("max_window_layers", 1, 2)
    if "layer_types" in names and random.random() < 0.4:
        s["layer_types"] = [random.choice(["sliding_attention", "full_attention"]) for _ in range(layers)]
        if family in ("smollm3", "qwen2", "qwen3", "qwen2_moe"):
            s["use_sliding_window"], s["sliding_window"] = True, 16
        if s.get("sliding_window", 1) is None:
            s["sliding_window"] = 16
    maybe("query_pre_attn_scalar", 16, 24)
    maybe("attn_logit_softcapping", 20.0, None) if family == "gemma2" else None
    maybe("final_logit_softcapping", 10.0, None)
    maybe("logit_scale", 0.25, 0.5)
    for name in ("embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier"):
        maybe(name, 0.5, 2.0)
    maybe("clip_qkv", 4.0, None)
    maybe("no_rope_layer_interval", 2, 3)
    for name in ("num_experts", "num_local_experts"):
        if name in names:
            s[name], s["num_experts_per_tok"] = 4, random.choice([1, 2])
            break
    maybe("moe_intermediate_size", 16, 24)
    if family in ("glm", "glm4"):  # without one they take those of the published vocabulary
        s["eos_token_id"] = 2
    maybe("word_embed_proj_dim", s["hidden_size"], 16, often=1)
    maybe("do_layer_norm_before", True, False)
    if "rope_parameters" in names and random.random() < 0.7:
        d = s.get("head_dim") or s["hidden_size"] // heads
        if family in ("gemma3_text", "olmo3"):
            s["rope_parameters"] = {"full_attention": rope(d, True), "sliding_attention": {"rope_type": "default", "rope_theta": random.choice([1000.0, 10000.0])}}
        else:
            r = rope(d, False)
            if family in ("phi", "stablelm", "glm", "glm4", "gpt_neox", "phi3"):
                r = {"rope_type": "default", "rope_theta": 20000.0} if r["rope_type"] == "longrope" else r
                if random.random() < 0.5:
                    r["partial_rotary_factor"] = 0.5
            s["rope_parameters"] = r
    return s


def age(d, family):
    """Edits a config.json as older writers and people leave it."""
    d = dict(d)
    for name in random.sample(sorted(d), random.choice([0, 1, 2])):
        if name not in ("model_type", "vocab_size", "num_hidden_layers", "n_layer", "num_layers", "hidden_size", "n_embd", "rotary_dim", "attention_types", "num_local_experts", "num_experts",
                        "num_attention_heads", "n_head", "num_heads", "num_key_value_heads", "word_embed_proj_dim", "eos_token_id"):
            del d[name]
    if isinstance(d.get("rope_parameters"), dict) and family not in ("gemma3_text", "olmo3") and random.random() < 0.5:
        r = d.pop("rope_parameters")
        d["rope_theta"] = r.pop("rope_theta", 10000.0)
        if "partial_rotary_factor" in r:
            d["partial_rotary_factor"] = r.pop("partial_rotary_factor")
        kind = r.pop("rope_type", "default")
        d["rope_scaling"] = random.choice([None, {}]) if kind == "default" else {random.choice(["type", "rope_type"]): kind, **r}
    if random.random() < 0.2:
        d[random.choice(["hidden_activation", "layer_norm_eps", "n_embd", "sliding_window_size", "qk_norm", "rope_ratio"])] = 3
    return d


def rotary(module, config):
    for name in dir(module):
        if name.endswith("RotaryEmbedding") and name != "RotaryEmbedding" and "Vision" not in name and "Linear" not in name:
            return getattr(module, name)(config)
    return None


def frequencies(r, layer_type):
    inv, factor = getattr(r, f"{layer_type}_inv_freq", None), getattr(r, f"{layer_type}_attention_scaling", None)
    if inv is None:
        inv, factor = r.inv_freq, r.attention_scaling
    v = inv.double().tolist()
    return {"n": len(v), "first": v[0], "middle": v[len(v) // 2], "last": v[-1], "factor": float(factor)}


def effective(family, config):
    module = importlib.import_module("transformers.models." + config.__class__.__module__.split(".")[-2] + ".modeling_" + config.__class__.__module__.split(".")[-2])
    known = set(type(config).__dataclass_fields__) | {"head_dim"}  # not what a file merely brought along
    get = lambda *names: next((getattr(config, n) for n in names if n in known and getattr(config, n, None) is not None), None)
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    kv = get("num_key_value_heads") or heads
    if family == "falcon":
        kv = config.num_kv_heads if config.new_decoder_architecture or not config.multi_query else 1
    head_dim = get("head_dim") or config.hidden_size // heads
    if family in ("stablelm", "opt", "gptj", "gpt2", "gpt_neo", "falcon", "cohere"):
        head_dim = config.hidden_size // heads
    types = getattr(config, "layer_types", None)
    size = get("sliding_window")
    if family == "gpt_neo":
        windows = [config.window_size if t == "local" else 0 for t in config.attention_layers]
    elif types is not None:
        windows = [(size or 0) if t == "sliding_attention" else 0 for t in types]
    elif family in ("mistral", "ministral3", "phi3", "starcoder2", "mixtral"):
        windows = [size or 0] * layers
    elif family == "qwen3_moe":
        windows = [(size or 0) if config.use_sliding_window else 0] * layers
    else:
        windows = [0] * layers
    out = {"hidden": config.hidden_size, "layers": layers, "heads": heads, "kv": kv, "head_dim": head_dim, "vocab": config.vocab_size,
           "inter": get("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size") or 4 * config.hidden_size,
           "eps": get("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon") or 1e-5,
           "act": get("hidden_activation", "hidden_act", "activation_function", "activation"), "tie": bool(config.tie_word_embeddings),
           "bos": config.bos_token_id, "eos": config.eos_token_id, "windows": windows}
    if family not in ("gpt2", "gpt_neo", "opt", "gptj"):
        r = rotary(module, config)
        kinds = types or ["full_attention"] * layers
        out["rope"] = [frequencies(r, k) for k in kinds]
    return out


lines, refused = [], {}
for family in FAMILIES:
    cls = CONFIG_MAPPING[family]
    made = tried = 0
    while made < N and tried < 20 * N:
        tried += 1
        try:
            text = json.loads(cls(**settings(family, cls)).to_json_string())
            for name in ("transformers_version", "architectures", "dtype"):
                text.pop(name, None)
            if made % 2:
                text = age(text, family)
            line = {"config": text, "want": effective(family, cls.from_dict(json.loads(json.dumps(text))))}
        except Exception as e:
            refused.setdefault(family, repr(e)[:120])
            continue
        lines.append(json.dumps(line, separators=(",", ":")))
        made += 1
    print(family, made, tried, refused.get(family) if tried > 3 * N else "", flush=True)
with open(os.path.join(here, "configs.jsonl.gz"), "wb") as f:
    with gzip.GzipFile("", "wb", 9, f, 0) as z:
        z.write(("\n".join(lines) + "\n").encode())
