"""Renders generated conversations with every template of a folder by Jinja2, set up as transformers sets it up.

    python3 conversations.py            writes conversations.json.gz and, for the templates of this folder, differential.json
    python3 conversations.py FOLDER     writes differential.json into FOLDER, whose *.jinja may be anybody's; the test
                                        TestGeneratedConversationsEqualJinja2 reads it where ATTUNE_CHAT_TEMPLATES names the folder

differential.json holds, for each template and conversation, the first 12 hexadecimal digits of the SHA-256 of the text, or "error".
Needs jinja2 (the committed files were written with 3.1.6).
"""
import gzip
import hashlib
import json
import pathlib
import random
import sys

from regenerate import env

N = 200
here = pathlib.Path(__file__).parent

WORDS = ["Hello", "naïve", "日本語", "a < b && c", "\"quoted\"", "it's", "{{ not a tag }}", "{% raw %}", "<|im_end|>", "</s>", "[INST]", "🦙", "\\n", "tab\there", "two\n\nlines", "  spaces  ", "3.14", "\u2028",
         "<think>\nhm\n</think>\n\nyes", "<tool_response>x</tool_response>", "é", "", "\n", "x" * 50, "```py\nprint(1)\n```", "&amp;", "\\", "%s", "don’t"]


def text(r):
    return r.choice(["", " ", "\n"]).join(r.choice(WORDS) for _ in range(r.randint(0, 6)))


def schema(r, depth=0):
    kind = r.choice(["string", "integer", "number", "boolean", "array", "object"] if depth < 2 else ["string", "integer"])
    s = {"type": kind}
    if r.random() < 0.7:
        s["description"] = text(r)
    if kind == "array":
        s["items"] = schema(r, depth + 1)
    if kind == "object":
        s["properties"] = {f"p{i}": schema(r, depth + 1) for i in range(r.randint(0, 3))}
        s["required"] = list(s["properties"])[: r.randint(0, 2)]
    if kind == "string" and r.random() < 0.3:
        s["enum"] = [text(r) for _ in range(r.randint(1, 3))]
    if r.random() < 0.2:
        s["default"] = r.choice([1, 2.5, True, None, "d", [1, "a"], {"k": "v"}])
    return s


def tool(r, i):
    parameters = schema(r, 0)
    parameters.update(type="object", properties={f"arg{k}": schema(r, 1) for k in range(r.randint(0, 3))})
    f = {"name": f"tool_{i}", "description": text(r), "parameters": parameters}
    if r.random() < 0.3:
        f["return"] = {"type": "string", "description": text(r)}
    return {"type": "function", "function": f}


def value(r, depth=0):
    kinds = [lambda: r.randint(-5, 10**6), lambda: r.choice([0.5, 1e20, 1.0, -2.25, 1e-7]), lambda: r.random() < 0.5, lambda: None, lambda: text(r)]
    if depth < 2:
        kinds += [lambda: [value(r, depth + 1) for _ in range(r.randint(0, 3))], lambda: {f"k{i}": value(r, depth + 1) for i in range(r.randint(0, 3))}]
    return r.choice(kinds)()


def conversation(seed):
    r = random.Random(seed)
    messages = []
    style = r.choice(["plain", "plain", "system", "system", "tools", "tools", "odd", "parts"])
    if style != "plain" and r.random() < 0.8:
        messages.append({"role": "system", "content": text(r)})
    for turn in range(r.randint(0 if style == "odd" else 1, 4)):
        content = text(r)
        if style == "parts":
            content = [{"type": "text", "text": text(r)} for _ in range(r.randint(1, 2))]
            if r.random() < 0.3:
                content.insert(0, {"type": "image"})
        messages.append({"role": "user", "content": content})
        if style == "tools" and r.random() < 0.7:
            calls = [{"type": "function", "function": {"name": f"tool_{k}", "arguments": r.choice([{f"arg{j}": value(r) for j in range(r.randint(0, 3))}, json.dumps({"arg0": value(r)})])}} for k in range(r.randint(1, 2))]
            for call in calls:
                if r.random() < 0.5:
                    call["id"] = "".join(r.choice("abcdefghi0123456789") for _ in range(9))
            messages.append({"role": "assistant", "content": r.choice([None, "", text(r)]), "tool_calls": calls})
            if r.random() < 0.2:
                del messages[-1]["content"]
            for call in calls:
                messages.append({"role": "tool", "name": call["function"]["name"], "content": r.choice([text(r), json.dumps(value(r))])})
                if "id" in call:
                    messages[-1]["tool_call_id"] = call["id"]
        m = {"role": "assistant", "content": text(r)}
        if r.random() < 0.2:
            m["reasoning_content"] = text(r)
        messages.append(m)
    if style == "odd":
        r.shuffle(messages)
        for m in messages:
            if r.random() < 0.1:
                m["role"] = r.choice(["developer", "ipython", "function", "System"])
    elif messages and r.random() < 0.6:
        messages.append({"role": "user", "content": text(r)})
    variables = {"add_generation_prompt": r.random() < 0.7, "bos_token": r.choice(["<s>", "<|begin_of_text|>", "<bos>"]), "eos_token": r.choice(["</s>", "<|im_end|>"])}
    if style == "tools" or r.random() < 0.1:
        variables["tools"] = [tool(r, i) for i in range(r.randint(0, 3))]
    if r.random() < 0.3:
        variables["enable_thinking"] = r.random() < 0.5
    if r.random() < 0.1:
        variables["documents"] = [{"title": text(r), "text": text(r)} for _ in range(2)]
    if r.random() < 0.1:
        variables["date_string"] = "26 Jul 2024"
    if r.random() < 0.1:
        variables["tools_in_user_message"] = r.random() < 0.5
    return {"messages": messages, "variables": variables}


def render(template, c):
    try:
        text = template.render(**{"tools": None, "documents": None, "messages": c["messages"], **c["variables"]})
    except Exception:
        return "error"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


conversations = [conversation(seed) for seed in range(N)]
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
if folder == here:
    text = "[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in conversations) + "\n]\n"
    (here / "conversations.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
out = {}
for path in sorted(folder.glob("*.jinja")):
    try:
        template = env.from_string(path.read_text())
    except Exception:
        out[path.stem] = "error"
        continue
    out[path.stem] = " ".join(render(template, c) for c in conversations)
(folder / "differential.json").write_text(json.dumps(out, indent=0) + "\n")
