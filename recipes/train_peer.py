"""The peer of the training benchmark: the same step in PyTorch, a Llama type of transformers at the same dimensions, float32 weights under bfloat16
autocast, sdpa, torch.compile and fused AdamW with clipping by the global norm; rows of one document, random tokens.

Prints a line for each variant as it ends and one JSON object last: tokens/s (median of the steps), the peak of a large bfloat16 matrix product in
FLOP/s and the model-FLOP utilisation of it, with 6 N + 12 L H D T operations per token (PaLM, appendix B; N with the tied head once).
"""
import argparse
import json
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

p = argparse.ArgumentParser()
for name, value in dict(vocab=50304, hidden=768, intermediate=2048, layers=12, heads=12, kv_heads=12, width=1024, rows=32, steps=20).items():
    p.add_argument("--" + name, type=int, default=value)
p.add_argument("--eager", action="store_true", help="also without torch.compile")
a = p.parse_args()


def timed(f, repeats):
    out = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        t = time.perf_counter()
        f()
        torch.cuda.synchronize()
        out.append(time.perf_counter() - t)
    return statistics.median(out)


r = {}
m1, m2 = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
timed(lambda: m1 @ m2, 3)
r["peak_flops"] = 10 * 2 * 8192**3 / timed(lambda: [m1 @ m2 for _ in range(10)], 5)
del m1, m2
print(f"peak {r['peak_flops'] / 1e12:.0f} TFLOP/s", flush=True)

config = LlamaConfig(vocab_size=a.vocab, hidden_size=a.hidden, intermediate_size=a.intermediate, num_hidden_layers=a.layers, num_attention_heads=a.heads,
                     num_key_value_heads=a.kv_heads, max_position_embeddings=a.width, tie_word_embeddings=True, use_cache=False)
config._attn_implementation = "sdpa"
torch.manual_seed(0)
with torch.device("cuda"):
    model = LlamaForCausalLM(config).train()
n = sum(w.numel() for w in model.parameters())
flops = 6 * n + 12 * a.layers * a.hidden * a.width
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
batches = [torch.randint(0, a.vocab, (a.rows, a.width + 1), device="cuda") for _ in range(4)]


def forward(ids):
    logits = model.model(input_ids=ids[:, :-1]).last_hidden_state @ model.lm_head.weight.T
    return torch.nn.functional.cross_entropy(logits.float().view(-1, a.vocab), ids[:, 1:].reshape(-1))


def step(f, ids):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = f(ids)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss


for name, f in [("compile", torch.compile(forward))] + ([("eager", forward)] if a.eager else []):
    for i in range(5):
        loss = step(f, batches[i % 4])
    seconds = timed(lambda: [step(f, batches[i]) for i in range(4)], a.steps // 4) / 4
    r[name + "_tokens_per_second"] = a.rows * a.width / seconds
    r[name + "_mfu"] = flops * a.rows * a.width / seconds / r["peak_flops"]
    print(f"{name}: {n / 1e6:.1f} M parameters, {seconds * 1e3:.1f} ms a step, {r[name + '_tokens_per_second']:.0f} tok/s, {flops * a.rows * a.width / seconds / 1e12:.0f} TFLOP/s, "
          f"{100 * r[name + '_mfu']:.1f} % of the peak, loss {loss.item():.3f}, {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB", flush=True)
print(json.dumps(r))
