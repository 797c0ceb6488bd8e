"""Makes reference tensors of a checkpoint with transformers, for the recipe `parity`.

    python3 make_reference.py MODEL_DIR OUT.safetensors [--batch 2] [--tokens 40] [--new 24] [--seed 0]

The tensors and their meaning are listed in the documentation of pkg/parity. The interventions are written here a second time, from the
formulas and not from the Go code: a custom attention function that computes every layer densely in float32.
"""
import argparse

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

# name: (tau or None for every entry, alpha, divide rows by their sum)
INTERVENTIONS = {
    "released": (0.01, 0.2, False),
    "literal": (0.01, 1.0, False),
    "first_release": (None, 0.5, False),
    "renorm": (0.01, 1.0, True),
    "tau05": (0.05, 0.5, False),
}
state = {"spec": None, "mask": None, "layers": 0}


def attention(module, query, key, value, attention_mask, scaling=None, softcap=None, s_aux=None, **kwargs):
    """Eager attention with the intervention of `state`; returns [batch, queries, heads, dim] and the probabilities."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = (query @ key.transpose(2, 3)).float() * scaling
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    queries, keys = scores.shape[-2:]
    if attention_mask is not None:
        mask = attention_mask[:, :, :, :keys]
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    else:
        future = torch.ones(queries, keys, dtype=torch.bool).triu(keys - queries + 1)
        scores = scores.masked_fill(future, float("-inf"))
    sinks = getattr(module, "sinks", None) if s_aux is None else s_aux
    if sinks is not None:
        column = sinks.float().reshape(1, -1, 1, 1).expand(scores.shape[0], -1, queries, 1)
        probs = torch.softmax(torch.cat([scores, column], -1), -1)[..., :-1]
    else:
        probs = torch.softmax(scores, -1)
    layer = getattr(module, "layer_idx", None)
    if layer is None:
        layer = getattr(module, "layer_id", None)
    if state["spec"] is not None:
        tau, alpha, renormalise = state["spec"]
        own = torch.arange(queries).unsqueeze(1) + (keys - queries) == torch.arange(keys).unsqueeze(0)
        if layer == 0:
            state["mask"] = None if tau is None else (probs > tau) & ~own
        else:
            gain = 1 + alpha * (1 - layer / (state["layers"] - 1))
            if state["mask"] is None:
                probs = probs * gain
            else:
                probs = torch.where(state["mask"][..., -keys:], probs * gain, probs)
            if renormalise:
                probs = probs / probs.sum(-1, keepdim=True)
    out = (probs.to(value.dtype) @ value).transpose(1, 2).contiguous()
    return out, probs


def gpt_neo_attention(self, query, key, value, attention_mask=None, *unused):
    """GPT-Neo has its own attention method: unscaled, with its causal or local mask in a buffer. Same result through `attention`."""
    queries, keys = query.shape[-2], key.shape[-2]
    mask = self.bias[:, :, keys - queries : keys, :keys].expand(query.shape[0], -1, -1, -1)
    self.layer_idx = self.layer_id
    out, probs = attention(self, query, key, value, mask, scaling=1.0)
    return out.transpose(1, 2), probs


def gptj_attention(self, query, key, value, attention_mask=None):
    """GPT-J has its own attention method, too."""
    out, probs = attention(self, query, key, value, attention_mask)
    return out.transpose(1, 2), probs


def run(model, ids, **options):
    """A forward pass that depends on nothing but its tokens: a dynamic rotary embedding keeps the base of the longest sequence it has seen."""
    for module in model.modules():
        if getattr(module, "rope_type", None) == "dynamic":
            for name in [n for n in vars(module) if n.endswith("max_seq_len_cached")]:
                setattr(module, name, module.original_max_seq_len)
            module.inv_freq = module.original_inv_freq
    return model(ids, use_cache=False, **options)


def greedy(model, ids, new):
    """Greedy continuation by recomputing the whole sequence for every token: no cache to trust."""
    for _ in range(new):
        logits = run(model, ids).logits[:, -1]
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], 1)
    return ids


@torch.no_grad()
def reference(model, ids, new):
    state["layers"] = model.config.get_text_config().num_hidden_layers
    tensors = {"input_ids": ids.to(torch.int32)}
    state["spec"] = None
    out = run(model, ids, output_attentions=True)
    tensors["logits"] = out.logits.float()
    for layer, a in enumerate(out.attentions):
        tensors[f"attentions.{layer}"] = a.float().contiguous()
    tensors["greedy"] = greedy(model, ids[:1], new).to(torch.int32)
    maps = torch.stack([a.double() for a in out.attentions])  # [layers, batch, heads, queries, keys]
    count = torch.arange(ids.shape[1], 0, -1, dtype=torch.double)
    alpha = maps.sum(-2) / count
    tensors["sink.alpha"] = alpha.float()
    tensors["sink.rate"] = (alpha > 0.3).double().mean((0, 1, 2)).float()
    if model.config.model_type == "falcon":  # its attention is written into its forward pass: there is nothing to put an intervention in
        return {k: v.contiguous() for k, v in tensors.items()}
    for name, spec in INTERVENTIONS.items():
        state["spec"] = spec
        tensors["logits." + name] = run(model, ids).logits.float()
        tensors["greedy." + name] = greedy(model, ids[:1], new).to(torch.int32)
    state["spec"] = None
    return {k: v.contiguous() for k, v in tensors.items()}


def load(path):
    ALL_ATTENTION_FUNCTIONS.register("attune_reference", attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register("attune_reference", eager_mask)  # an explicit mask, with sliding windows in it
    whole = hasattr(AutoConfig.from_pretrained(path), "text_config")  # it reads images, too: text goes through its text part alone
    model = (AutoModelForImageTextToText if whole else AutoModelForCausalLM).from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    model.config._attn_implementation = "attune_reference"
    if model.config.model_type == "gpt_neo":
        type(model.transformer.h[0].attn.attention)._attn = gpt_neo_attention
    if model.config.model_type == "gptj":
        type(model.transformer.h[0].attn)._attn = gptj_attention
    if model.config.model_type == "falcon":
        model.config._attn_implementation = "eager"
        return model
    for module in model.modules():
        if hasattr(module, "config"):
            module.config._attn_implementation = "attune_reference"
    return model


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("out")
    p.add_argument("--batch", type=int, default=2)
    p.add_argument("--tokens", type=int, default=40)
    p.add_argument("--new", type=int, default=24)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    m = load(a.model)
    torch.manual_seed(a.seed)
    text = m.config.get_text_config()
    ids = torch.randint(3, text.vocab_size, (a.batch, a.tokens))
    ids[:, 0] = text.bos_token_id if text.bos_token_id is not None else 0
    save_file(reference(m, ids, a.new), a.out)
    print(a.out)
