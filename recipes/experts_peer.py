"""The peer of the experts' benchmark (go test -bench Experts ./pkg/model): one layer's mixture of experts of transformers, router included, at mixtral-8x7b's and
gpt-oss-20b's dimensions, random weights, bfloat16, with every experts implementation that runs here, called several times between two waits for the
device, so that the host's part does not count.

Prints a line for each variant as it ends and one JSON object last: tokens/s (median of the repeats) by family and implementation.
"""
import argparse
import json
import statistics
import time

import torch
from transformers import GptOssConfig, MixtralConfig
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssMLP
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

p = argparse.ArgumentParser()
p.add_argument("--tokens", type=int, default=4096)
p.add_argument("--repeats", type=int, default=10)
p.add_argument("--calls", type=int, default=8, help="calls of the layer between two waits for the device")
p.add_argument("--modes", default="default,reduce-overhead", help="of torch.compile; max-autotune-no-cudagraphs takes minutes")
p.add_argument("--scale", type=int, default=1, help="divide the dimensions, to try the script")
p.add_argument("--device", default="cuda")
a = p.parse_args()
s = a.scale
layers = {
    "mixtral": lambda: MixtralSparseMoeBlock(MixtralConfig(hidden_size=4096 // s, intermediate_size=14336 // s, num_local_experts=8, num_experts_per_tok=2)),
    "gpt_oss": lambda: GptOssMLP(GptOssConfig(hidden_size=2880 // s, intermediate_size=2880 // s, num_local_experts=32, num_experts_per_tok=4)),
}
wait = torch.cuda.synchronize if a.device == "cuda" else lambda: None
found = {}
for family, make in layers.items():
    torch.manual_seed(0)
    with torch.device(a.device):
        layer = make().to(torch.bfloat16).eval()
        for w in layer.parameters():
            torch.nn.init.normal_(w, std=0.02)
        x = torch.randn(1, a.tokens, layer.experts.gate_up_proj.shape[1 if family == "gpt_oss" else 2], dtype=torch.bfloat16)
    for way in ["eager", "batched_mm", "grouped_mm", "deepgemm", "sonicmoe"] + [f"grouped_mm, compiled, {mode}" for mode in a.modes.split(",")]:
        layer.experts.config._experts_implementation = way.split(",")[0]
        f = torch.compile(layer, mode=way.split(", ")[2]) if "compiled" in way else layer
        try:
            seconds = []
            with torch.no_grad():
                for i in range(a.repeats + 3):
                    wait()
                    start = time.perf_counter()
                    for _ in range(a.calls):
                        torch.compiler.cudagraph_mark_step_begin()
                        f(x)
                    wait()
                    if i >= 3:
                        seconds.append((time.perf_counter() - start) / a.calls)
        except Exception as e:  # out of memory, or not installed
            print(f"{family} {way}: not here ({type(e).__name__}: {str(e)[:80]})", flush=True)
            if a.device == "cuda":
                torch.cuda.empty_cache()
            continue
        found[f"{family} {way}"] = a.tokens / statistics.median(seconds)
        print(f"{family} {way}: {found[f'{family} {way}']:.0f} tokens/s, {1e3 * statistics.median(seconds):.2f} ms", flush=True)
    del layer, x
print(json.dumps(found))
