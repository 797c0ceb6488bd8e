"""Tokenizers of every layout, what they are built of, and what Hugging Face's tokenizers makes of generated texts with them.

    python3 differential.py                 writes layouts.json.gz, and texts.json and differential.json.gz for 300 texts, into this folder
    python3 differential.py N FOLDER [SEED] writes texts.json and differential.json.gz for N texts into FOLDER; the test TestLayoutsEqualTokenizers
                                            reads them where ATTUNE_TOKENIZER_GOLDENS names the folder
    python3 differential.py N FOLDER SEED FILE...  the same for any tokenizer.json

differential.json.gz holds, for each layout and text, 8 hexadecimal digits of the SHA-256 of the ids and 8 of that of the decoded texts (special
tokens left out, and written out). Needs tokenizers (the committed files were written with 0.23.3).
"""
import base64
import gzip
import hashlib
import json
import pathlib
import random
import sys

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers, AddedToken

here = pathlib.Path(__file__).parent

CORPUS = ["the quick brown fox jumps over the lazy dog", "Hello, world! It's a test; don't you think so?", "naïve café déjà vu über straße", "日本語 のテキスト です", "数 123 4567 89.01 0x1F", "def f(x):\n    return x ** 2\n\n",
          "there was once a little girl who lived in a village near the forest", "ООО привет мир", "the the the and and of of to a in that he was for on are as with his they at be this from", "I'll we've they're can't THE QUICK", "  indented\n\ttabs  and  spaces  "]

ATOMS = ["the", "The", " the", "hello", "world", "HELLO", "don't", "I'll", "we've", "'s", "it’s", "’", "“x”", "—", "…", "naïve", "café", "e\u0301", "a\u0327\u0301", "\u0301", "ﬁ", "①", "Å", "\u212b", "İ", "ß", "Σ", "ς", "ǆ", "日本語", "のです", "漢", "한국어", "\u1112\u1161\u11ab",
         "привет", "שלום", "مرحبا", "नमस्ते", "👩‍👩‍👧", "👍🏽", "🦙", "🇩🇪", "1", "12", "123", "1234567", "3.14", "٣٤", "½", "Ⅷ", "²", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2028", "\u0085", "\x00", "\x1f", "\x7f", "\ufffd", "\ue000", "\U0010ffff",
         ".", ",", "!", "?", "...", "!!!", "-", "_", "__init__", "a_b", "@", "#", "$", "€", "+", "=", "<", ">", "<s>", "</s>", "<unk>", "<x>", "<|t|>", " <|t|>", "<|t|> ", "[M]", "a[M]b", "▁", "▁the", "Ġ", "Ċ", "<0x41>", "##a", "{", "}", "()", "\\", "/", "http://a.b/c?d=e", "x@y.zz",
         "aaaaaaaaaaaa", "abababab", "zzz", "q", "Q", "x" * 40, "foo bar", "\ud7ff", "ﷺ", "㍿", "\u200d", "\u0e33", "ำ", "\u0345", "K", "ſ", "µ", "ı"]


def texts(n, seed):
    r = random.Random(seed)
    out = ["", " ", "  ", "\n", "a", "é", "hello world", "  hello  world  "]
    while len(out) < n:
        kind = r.random()
        if kind < 0.6:
            out.append(r.choice(["", " "]).join(r.choice(ATOMS) for _ in range(r.randint(1, 9))))
        elif kind < 0.75:
            words = r.choice(CORPUS).split(" ")
            out.append(" ".join(r.choice(words) for _ in range(r.randint(1, 12))))
        elif kind < 0.85:
            out.append("".join(chr(r.choice([r.randint(32, 126), r.randint(0, 0x2FF), r.randint(0x300, 0x36F), r.randint(0x370, 0xD7FF), r.randint(0xE000, 0xFFFF), r.randint(0x10000, 0x1FFFF)])) for _ in range(r.randint(1, 20))))
        elif kind < 0.95:
            out.append("".join(r.choice("ab  \n\t.,'1é日") for _ in range(r.randint(1, 30))))
        else:
            out.append(r.choice(ATOMS) * r.randint(2, 30))
    return out[:n]


def plain(**spec):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None, **spec}


def trained(tokenizer, trainer):
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return json.loads(tokenizer.to_str())["model"]


def bases():
    special = ["<unk>", "<s>", "</s>"]
    level = Tokenizer(models.BPE())
    level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    out = {"level": trained(level, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))}
    piece = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    piece.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    piece.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    out["piece"] = trained(piece, trainers.BpeTrainer(vocab_size=480, special_tokens=special + [f"<0x{b:02X}>" for b in range(256)], show_progress=False))
    uni = Tokenizer(models.Unigram())
    uni.pre_tokenizer = pre_tokenizers.Metaspace()
    out["unigram"] = trained(uni, trainers.UnigramTrainer(vocab_size=220, special_tokens=special, unk_token="<unk>", show_progress=False))
    return out


def component(c):
    """The JSON of a normalizer, pre-tokenizer, post-processor or decoder."""
    return json.loads(c.__getstate__())


ADDED = [("<unk>", {}), ("<s>", {}), ("</s>", {}), ("<|t|>", {"lstrip": True}), ("[M]", {"rstrip": True, "single_word": True}), ("<x>", {"special": False, "normalized": True})]


def added(size, names=ADDED):
    out = []
    for i, (content, flags) in enumerate(names):
        out.append({"id": i if i < 3 else size + i - 3, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags})
    return out


GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK = [r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", r"[一-龥ࠀ-一가-퟿]+"]


def layouts(base):
    P, N, D, T = pre_tokenizers, normalizers, decoders, processors
    level = lambda **k: P.ByteLevel(**{"add_prefix_space": False, **k})
    template = T.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    llama = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    out = {}

    def add(name, model, normalizer=None, pre=None, post=None, decoder=None, tokens=True, **changes):
        m = {k: v for k, v in changes.items()}
        out[name] = {"base": model, "model": m, "tokens": tokens, "normalizer": component(normalizer) if normalizer else None, "pre_tokenizer": component(pre) if pre else None, "post_processor": component(post) if post else None,
                     "decoder": component(decoder) if decoder else None}

    add("gpt2", "level", None, level(), None, D.ByteLevel())
    add("gpt2 prefix", "level", None, level(add_prefix_space=True), T.ByteLevel(trim_offsets=False), D.ByteLevel())
    add("gpt2 bare", "level", None, level(), None, D.ByteLevel(), tokens=False)
    add("gpt4", "level", None, P.Sequence([P.Split(Regex(GPT4), "isolated"), level(use_regex=False)]), template, D.ByteLevel(), ignore_merges=True)
    add("qwen", "level", N.NFC(), P.Sequence([P.Split(Regex(GPT4.replace("{1,3}", "")), "isolated"), level(use_regex=False)]), None, D.ByteLevel())
    add("deepseek", "level", N.Sequence([]), P.Sequence([P.Split(Regex(e), "isolated") for e in DEEPSEEK] + [P.Digits(individual_digits=True), level(use_regex=False)]), None, D.ByteLevel())
    add("falcon", "level", None, P.Sequence([P.Punctuation("contiguous"), level(), P.Digits(individual_digits=False), P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), None, D.ByteLevel())
    add("starcoder", "level", None, P.Sequence([P.Digits(individual_digits=True), level()]), None, D.ByteLevel())
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"):
        add(f"level {form}", "level", getattr(N, form)(), level(), None, D.ByteLevel())
    add("level Strip", "level", N.Strip(), level(), None, D.ByteLevel())
    add("level Strip left", "level", N.Strip(left=True, right=False), level(), None, D.ByteLevel())
    add("level Replace", "level", N.Sequence([N.Replace(Regex(r"\s+"), " "), N.Replace("a", "<a>"), N.Lowercase()]), level(), None, D.ByteLevel())
    add("level normalizer", "level", N.ByteLevel(), None, None, D.ByteLevel())
    for how in ("isolated", "removed", "contiguous", "merged_with_previous", "merged_with_next"):
        add(f"Split {how}", "level", None, P.Sequence([P.Split(Regex(r"[^\s\p{L}]|the"), how), level(use_regex=False)]), None, D.ByteLevel())
        add(f"Split inverted {how}", "level", None, P.Sequence([P.Split(Regex(r"\p{L}+|\d{1,2}"), how, invert=True), level(use_regex=False)]), None, D.ByteLevel())
        add(f"Punctuation {how}", "level", None, P.Sequence([P.Punctuation(how), level(use_regex=False)]), None, D.ByteLevel())
    add("Whitespace", "level", None, P.Sequence([P.Whitespace(), level(use_regex=False)]), None, D.ByteLevel())
    add("WhitespaceSplit", "level", None, P.Sequence([P.WhitespaceSplit(), level()]), None, D.ByteLevel())
    add("CharDelimiterSplit", "level", None, P.Sequence([P.CharDelimiterSplit("e"), level()]), None, D.ByteLevel())
    add("Bert pre-tokenizer", "level", None, P.Sequence([P.BertPreTokenizer(), level()]), None, D.ByteLevel())
    add("Roberta", "level", None, level(), T.RobertaProcessing(("</s>", 2), ("<s>", 1)), D.ByteLevel())
    add("Bert processing", "level", None, level(), T.BertProcessing(("</s>", 2), ("<s>", 1)), D.ByteLevel())
    add("llama2", "piece", N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, template, llama)
    add("mistral", "piece", None, P.Metaspace("▁", "first", False), template, llama)
    add("gemma", "piece", N.Replace(" ", "▁"), P.Split(" ", "merged_with_previous"), None, D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]))
    for scheme in ("always", "first", "never"):
        for split in (True, False):
            add(f"Metaspace {scheme} {split}", "piece", None, P.Metaspace("▁", scheme, split), None, D.Metaspace("▁", scheme, split))
    add("no fallback", "piece", N.Replace(" ", "▁"), None, None, D.Fuse(), byte_fallback=False)
    add("no fallback, not fused", "piece", N.Replace(" ", "▁"), None, None, D.Replace("▁", " "), byte_fallback=False, fuse_unk=False)
    add("no unknown", "piece", N.Replace(" ", "▁"), None, None, None, byte_fallback=False, unk_token=None)
    add("piece NFKC", "piece", N.Sequence([N.NFKC(), N.Strip(), N.Lowercase(), N.Prepend("▁"), N.Replace(" ", "▁")]), None, None, D.Sequence([D.ByteFallback(), D.Replace("▁", " "), D.Fuse(), D.Strip(" ", 2, 0)]))
    add("piece Digits", "piece", None, P.Sequence([P.WhitespaceSplit(), P.Digits(individual_digits=True), P.Metaspace("▁", "always", True)]), None, D.Sequence([D.Fuse(), D.Replace("▁", " "), D.Strip(" ", 1, 0)]))
    add("unigram", "unigram", None, P.Metaspace("▁", "always", True), template, D.Metaspace("▁", "always", True))
    add("unigram whole", "unigram", None, P.Metaspace("▁", "never", False), None, D.Metaspace("▁", "never", False))
    add("unigram NFKC", "unigram", N.Sequence([N.NFKC(), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace("▁", "always", True), None, D.Metaspace("▁", "always", True))
    add("unigram Precompiled", "unigram", N.Precompiled(PRECOMPILED), P.Metaspace("▁", "always", True), None, D.Metaspace("▁", "always", True))
    add("unigram Precompiled after Strip", "unigram", N.Sequence([N.Strip(), N.Precompiled(PRECOMPILED), N.Replace(Regex(" {2,}"), "▁")]), P.Metaspace("▁", "first", True), None, D.Metaspace("▁", "first", True))
    add("unigram Nmt", "unigram", N.Sequence([N.Nmt(), N.NFKC()]), P.Metaspace("▁", "always", True), None, D.Metaspace("▁", "always", True))
    add("unigram Whitespace", "unigram", None, P.Sequence([P.Whitespace(), P.Metaspace("▁", "always", True)]), None, D.Metaspace("▁", "always", True))
    add("unigram UnicodeScripts", "unigram", None, P.Sequence([P.UnicodeScripts(), P.Metaspace("▁", "always", True)]), None, D.Metaspace("▁", "always", True))
    return out


def double_array(entries):
    """A double array of darts-clone, in the form of SentencePiece, for a dictionary from bytes to a value."""
    root = {}
    for key, value in entries.items():
        node = root
        for b in key:
            node = node.setdefault(b, {})
        node[0] = value  # A leaf stands under byte 0.
    units, used = {0: 0}, {0}
    queue = [(0, root)]
    label_of = {}
    while queue:
        at, node = queue.pop(0)
        offset = 1
        while True:  # Offsets are kept within 21 bits, and none is used twice.
            places = [(at ^ offset) ^ 0 for _ in [0]]
            base = at ^ offset
            if all((base ^ b) not in used for b in node) and base not in label_of:
                break
            offset += 1
        label_of[base] = True
        used.update(base ^ b for b in node)
        unit = units.get(at, 0) | offset << 10
        if 0 in node:
            unit |= 1 << 8
            units[base] = 1 << 31 | node[0]
        units[at] = unit
        for b, child in node.items():
            if b:
                units[base ^ b] = b
                queue.append((base ^ b, child))
    size = max(units) + 256
    return [units.get(i, 0) for i in range(size)]


def precompiled():
    """A charsmap: length of the double array, the array, and the replacements with a zero byte behind each."""
    replacements = {"ﬁ": "fi", "①": "1", "\u3000": " ", "\u00a0": " ", "\t": " ", "\n": " ", "\u200b": " ", "\ufeff": "", "e\u0301": "é", "Å": "Å", "\u212b": "Å", "㍿": "株式会社", "Ａ": "A", "½": "1⁄2", "\x00": "", "İ": "I", "日": "日", "a\u0327\u0301": "á̧"}
    replacements.pop("\x00")
    blob, entries = b"", {}
    for key, value in replacements.items():
        entries[key.encode()] = len(blob)
        blob += value.encode() + b"\0"
    array = b"".join(u.to_bytes(4, "little") for u in double_array(entries))
    return len(array).to_bytes(4, "little") + array + blob


PRECOMPILED = precompiled()


def assemble(base, layout):
    model = {**base[layout["base"]], **layout["model"]}
    # Added tokens get the ids behind the vocabulary.
    tokens = added(len(model["vocab"])) if layout["tokens"] else added(len(model["vocab"]))[:3]
    return plain(model=model, added_tokens=tokens, **{k: layout[k] for k in ("normalizer", "pre_tokenizer", "post_processor", "decoder")})


def short(value):
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else here
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    if folder == here:
        base = bases()
        content = json.dumps({"bases": base, "layouts": layouts(base)}, ensure_ascii=False).encode()
        (here / "layouts.json.gz").write_bytes(gzip.compress(content, 9, mtime=0))
    files = json.loads(gzip.decompress((here / "layouts.json.gz").read_bytes()))
    tokenizers = {path: Tokenizer.from_file(path) for path in sys.argv[4:]} or {name: Tokenizer.from_str(json.dumps(assemble(files["bases"], layout))) for name, layout in files["layouts"].items()}
    inputs = texts(n, seed)
    out = {}
    for name, tokenizer in tokenizers.items():
        tokenizer.no_truncation()  # Habits of one training script, which the package leaves out on purpose.
        tokenizer.no_padding()
        golden = []
        for text in inputs:
            ids = tokenizer.encode(text).ids
            golden.append(short(ids) + short([tokenizer.decode(ids, skip_special_tokens=True), tokenizer.decode(ids, skip_special_tokens=False)]))
        out[name] = " ".join(golden)
    (folder / "texts.json").write_text(json.dumps(inputs, indent=0) + "\n")
    (folder / "differential.json.gz").write_bytes(gzip.compress((json.dumps(out, indent=0) + "\n").encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
