#!/usr/bin/env python3
"""Writes quants.gguf: for every type that this package dequantises, a tensor of random blocks and, as <type>.expected, what the gguf package makes of it.

    pip install gguf==0.19.0 numpy
    ./make_quants.py
"""
import os

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

TYPES = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.MXFP4]
# Where the blocks of a type hold halves: random bits there would often be infinities.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}
ROWS, COLUMNS = 3, 512

rng = np.random.default_rng(1)
here = os.path.dirname(os.path.abspath(__file__))
w = gguf.GGUFWriter(os.path.join(here, "quants.gguf"), "none")
for t in TYPES:
    block, size = GGML_QUANT_SIZES[t]
    n = ROWS * COLUMNS // block
    if t in (T.F32, T.F16):
        data = (rng.standard_normal((ROWS, COLUMNS)) * 10.0 ** rng.integers(-7, 4, (ROWS, COLUMNS))).astype(np.float32 if t == T.F32 else np.float16)
        expected = data.astype(np.float32)
    else:
        data = rng.integers(0, 256, (n, size), dtype=np.uint8)
        for at in HALVES.get(t, []):
            scale = (rng.standard_normal(n) * 10.0 ** rng.integers(-7, 3, n)).astype(np.float16)  # subnormal ones, too
            data[:, at:at + 2] = scale.view(np.uint8).reshape(n, 2)
        if t == T.BF16:
            data.reshape(-1)[1::2] &= 0xBF  # no infinities
        data = data.reshape(ROWS, -1)
        expected = gguf.quants.dequantize(data, t).reshape(ROWS, COLUMNS).astype(np.float32)
    w.add_tensor(t.name, data, raw_dtype=t)
    w.add_tensor(t.name + ".expected", expected)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
