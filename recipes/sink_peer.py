"""The peer of a survey: attention statistics of a prefill in PyTorch with transformers, eager attention, bfloat16, random weights at the same
dimensions.

Received attention, row entropy, mass on the first key, on the diagonal and in a local window, and mean distance, of every head of every layer,
in float32. Twice: as usual, from the maps that output_attentions returns, all layers' kept; and reduced layer by layer in a hook, so that
one layer's map is alive at a time. Prints one JSON line of tokens/s (medians) and peak gigabytes.
"""
import argparse
import json
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

p = argparse.ArgumentParser()
for name in ["vocab", "hidden", "intermediate", "layers", "heads", "kv_heads", "head_dim", "positions", "tokens", "repeats"]:
    p.add_argument("--" + name, type=int, required=True)
p.add_argument("--tied", type=int, default=0)
p.add_argument("--window", type=int, default=16)
a = p.parse_args()

config = LlamaConfig(vocab_size=a.vocab, hidden_size=a.hidden, intermediate_size=a.intermediate, num_hidden_layers=a.layers, num_attention_heads=a.heads,
                     num_key_value_heads=a.kv_heads, head_dim=a.head_dim, max_position_embeddings=a.positions, tie_word_embeddings=bool(a.tied))
config._attn_implementation = "eager"
with torch.device("cuda"):
    torch.set_default_dtype(torch.bfloat16)
    model = LlamaForCausalLM(config).eval()

i = torch.arange(a.tokens, device="cuda")
away = (i[:, None] - i[None, :]).float()
near = ((away >= 0) & (away < a.window)).float()
seen = torch.arange(a.tokens, 0, -1, device="cuda").float()


def received(w):  # [1, heads, queries, keys]
    return [w.sum(-2, dtype=torch.float32) / seen]


def rows(w):
    w = w.float()
    return [w.sum(-2) / seen, -torch.special.xlogy(w, w).sum(-1).mean(-1), w[..., 0].mean(-1), w.diagonal(dim1=-2, dim2=-1).mean(-1),
            (w * near).sum(-1).mean(-1), (w * away).sum(-1).mean(-1)]


def usual(reduce):
    out = model.model(ids, use_cache=False, output_attentions=True)
    return [s.cpu() for w in out.attentions for s in reduce(w)]


def hooked(reduce):
    found = []
    hooks = [layer.self_attn.register_forward_hook(lambda m, args, out: found.extend(reduce(out[1]))) for layer in model.model.layers]
    model.model(ids, use_cache=False)
    for h in hooks:
        h.remove()
    return [s.cpu() for s in found]


def timed(f):
    f()
    out = []
    for _ in range(a.repeats):
        torch.cuda.synchronize()
        t = time.perf_counter()
        f()
        torch.cuda.synchronize()
        out.append(time.perf_counter() - t)
    return statistics.median(out)


r = {}
with torch.no_grad():
    ids = torch.randint(0, a.vocab, (1, a.tokens), device="cuda")
    for way in (hooked, usual):
        for reduce in (received, rows):
            torch.cuda.reset_peak_memory_stats()
            key = f"{way.__name__}_{reduce.__name__}"
            try:
                r[key + "_tokens_per_second"] = a.tokens / timed(lambda: way(reduce))
                r[key + "_peak_gigabytes"] = torch.cuda.max_memory_allocated() / 1e9
            except torch.OutOfMemoryError:
                pass
print(json.dumps(r))
