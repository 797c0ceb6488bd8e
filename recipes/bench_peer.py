"""The peer of the recipe `bench`: the same work in PyTorch with transformers, random weights at the same dimensions, bfloat16, sdpa.

Prints one JSON line: prefill and decode in tokens/s (medians), and the machine's ceilings: memory bandwidth of a large copy (bytes read plus
written) and the rate of a large bfloat16 matrix product on random data. With --emulation 1 also the emulation layer as its authors compute it: eager attention
whose probabilities are kept from the first layer, thresholded and multiplied (tau 0.01, alpha 0.2, `last` the last layer).
"""
import argparse
import json
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import repeat_kv

p = argparse.ArgumentParser()
for name in ["vocab", "hidden", "intermediate", "layers", "heads", "kv_heads", "head_dim", "positions", "tokens", "prompt", "new", "batch", "repeats"]:
    p.add_argument("--" + name, type=int, required=True)
p.add_argument("--tied", type=int, default=0)
p.add_argument("--attention", default="sdpa")
p.add_argument("--emulation", type=int, default=0)
a = p.parse_args()


def timed(f, repeats):
    f()
    out = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        t = time.perf_counter()
        f()
        torch.cuda.synchronize()
        out.append(time.perf_counter() - t)
    return statistics.median(out)


r = {}
x = torch.randn(1 << 30, device="cuda", dtype=torch.bfloat16)
y = torch.empty_like(x)
r["copy_bytes_per_second"] = 4 * x.numel() / timed(lambda: y.copy_(x), 20)
del x, y
m1, m2 = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
r["matmul_flops"] = 10 * 2 * 8192**3 / timed(lambda: [m1 @ m2 for _ in range(10)], 5)
del m1, m2

config = LlamaConfig(vocab_size=a.vocab, hidden_size=a.hidden, intermediate_size=a.intermediate, num_hidden_layers=a.layers, num_attention_heads=a.heads,
                     num_key_value_heads=a.kv_heads, head_dim=a.head_dim, max_position_embeddings=a.positions, tie_word_embeddings=bool(a.tied))
config._attn_implementation = a.attention
with torch.device("cuda"):
    torch.set_default_dtype(torch.bfloat16)
    model = LlamaForCausalLM(config).eval()

first = {}


def emulated(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    """transformers' eager attention with the emulation layer."""
    groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask[:, :, :, : key.shape[-2]]
    probs = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    queries, keys = probs.shape[-2:]
    if module.layer_idx == 0:
        own = torch.arange(keys - queries, keys, device=probs.device).unsqueeze(1) == torch.arange(keys, device=probs.device)
        first["mask"] = (probs > 0.01) & ~own
    else:
        probs = torch.where(first["mask"], probs * (1 + 0.2 * (1 - module.layer_idx / (a.layers - 1))), probs)
    return (probs @ value).transpose(1, 2).contiguous(), probs


def measure(suffix, batches):
    ids = torch.randint(0, a.vocab, (1, a.tokens), device="cuda")
    r["prefill" + suffix + "_tokens_per_second"] = a.tokens / timed(lambda: model(ids, use_cache=False, logits_to_keep=1), a.repeats)
    for batch in batches:
        ids = torch.randint(3, a.vocab, (batch, a.prompt), device="cuda")
        mask = torch.ones_like(ids)

        def generate(n):
            return model.generate(ids, attention_mask=mask, max_new_tokens=n, min_new_tokens=n, do_sample=False, pad_token_id=0)

        few, many = timed(lambda: generate(8), a.repeats), timed(lambda: generate(8 + a.new), a.repeats)
        r[f"decode_batch_{batch}{suffix}_tokens_per_second"] = batch * a.new / (many - few)


with torch.no_grad():
    measure("", (1, a.batch))
    if a.emulation:
        ALL_ATTENTION_FUNCTIONS.register("emulated", emulated)
        ALL_MASK_ATTENTION_FUNCTIONS.register("emulated", eager_mask)
        model.config._attn_implementation = "emulated"
        measure("_released", (1,))
print(json.dumps(r))
