"""The peer of the recipe `bench`: the same work in PyTorch with transformers, random weights at the same dimensions, bfloat16, sdpa.

Prints one JSON line: prefill and decode in tokens/s (medians), and the machine's ceilings: memory bandwidth of a large copy (bytes read plus
written) and the rate of a large bfloat16 matrix product on random data.
"""
import argparse
import json
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

p = argparse.ArgumentParser()
for name in ["vocab", "hidden", "intermediate", "layers", "heads", "kv_heads", "head_dim", "positions", "tokens", "prompt", "new", "batch", "repeats"]:
    p.add_argument("--" + name, type=int, required=True)
p.add_argument("--tied", type=int, default=0)
p.add_argument("--attention", default="sdpa")
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
with torch.no_grad():
    ids = torch.randint(0, a.vocab, (1, a.tokens), device="cuda")
    r["prefill_tokens_per_second"] = a.tokens / timed(lambda: model(ids, use_cache=False, logits_to_keep=1), a.repeats)
    for batch in (1, a.batch):
        ids = torch.randint(3, a.vocab, (batch, a.prompt), device="cuda")
        mask = torch.ones_like(ids)
        def generate(n):
            return model.generate(ids, attention_mask=mask, max_new_tokens=n, min_new_tokens=n, do_sample=False, pad_token_id=0)
        few, many = timed(lambda: generate(8), a.repeats), timed(lambda: generate(8 + a.new), a.repeats)
        r[f"decode_batch_{batch}_tokens_per_second"] = batch * a.new / (many - few)
print(json.dumps(r))
