#!/usr/bin/env python3
"""Writes quantised.safetensors: tensors as mxfp4 and fp8 checkpoints hold them, and what transformers makes of them (<name>.expected).

    pip install torch transformers==5.24.0 safetensors
    ./make_quantised.py
"""
import os
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize, Fp8Quantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

torch.manual_seed(3)
out = {}
blocks = torch.randint(0, 256, (2, 6, 3, 16), dtype=torch.uint8)
scales = torch.randint(100, 140, (2, 6, 3), dtype=torch.uint8)
scales[0, 0] = torch.tensor([0, 1, 120])  # subnormal factors, too
out["experts.down_proj_blocks"], out["experts.down_proj_scales"] = blocks, scales
out["experts.down_proj.expected"] = convert_moe_packed_tensors(blocks, scales, dtype=torch.bfloat16)
for name, shape, block, scale_format in [("a", (64, 96), (32, 32), "float"), ("b", (32, 64), None, "float"), ("c", (64, 64), (32, 64), "ue8m0")]:
    quantizer = SimpleNamespace(quantization_config=SimpleNamespace(weight_block_size=block, scale_fmt=scale_format))
    w = torch.randn(shape) * torch.rand(shape[0], 1) * 3
    made = Fp8Quantize(quantizer)._quantize_one(name + ".weight", w)
    out.update({k: v.contiguous() for k, v in made.items()})
    out[name + ".weight.expected"] = Fp8Dequantize(quantizer)._dequantize_one(made[name + ".weight"], made[name + ".weight_scale_inv"], torch.float32)
save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(os.path.dirname(os.path.abspath(__file__)), "quantised.safetensors"))
for k, v in out.items():
    print(k, v.dtype, list(v.shape))
