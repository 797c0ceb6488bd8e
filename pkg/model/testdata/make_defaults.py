#!/usr/bin/env python3
"""Writes ../defaults.json: for every family the fields of transformers' configuration class with their defaults, other names of them, and the base of the rotary
embedding where config.json says none. A family's config.json is read against it: a field that is not there is not read, as in transformers.

    pip install transformers==5.24.0
    ./make_defaults.py
"""
import json
import os
import warnings

warnings.filterwarnings("ignore")
from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

FAMILIES = """llama mistral qwen2 qwen3 olmo olmo2 olmo3 phi phi3 smollm3 granite cohere cohere2 starcoder2 stablelm glm glm4 seed_oss arcee nanochat apertus ernie4_5
hunyuan_v1_dense exaone4 helium gemma gemma2 gemma3_text gemma4_text gpt2 gpt_neo gpt_neox gptj opt falcon gpt_oss mixtral qwen2_moe qwen3_moe olmoe ministral3""".split()

# What every configuration has, and what no arithmetic depends on.
general = set(PreTrainedConfig.__dataclass_fields__) - {"tie_word_embeddings"}
out = {}
for family in FAMILIES:
    cls = CONFIG_MAPPING[family]
    fields = {}
    for name, field in cls.__dataclass_fields__.items():
        if name in general or name.endswith("_plan"):
            continue
        default = field.default_factory() if callable(field.default_factory) else field.default
        fields[name] = default if isinstance(default, (int, float, str, bool, list, dict)) else None
    entry = {"fields": fields}
    if cls.attribute_map:
        entry["names"] = cls.attribute_map
    theta = getattr(cls, "default_theta", None)
    entry["theta"] = theta if isinstance(theta, dict) else {"global": theta, "local": theta}
    out[family] = entry
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "defaults.json")
with open(path, "w") as f:
    f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in out.items()) + "\n}\n")
