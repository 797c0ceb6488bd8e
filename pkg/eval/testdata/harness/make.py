"""Writes tasks.json: rows of published sets, made by hand, and what EleutherAI's lm-evaluation-harness makes of them.

    python make.py        (lm_eval 0.4.13, jinja2, pyyaml, pandas)

The prompts, choices and answers come from the harness' own task files and functions, over rows that are no one else's.
"""

import io
import json
import os

import lm_eval.tasks
import pandas
import yaml
from jinja2 import BaseLoader, Environment, StrictUndefined
from lm_eval.tasks.hellaswag import utils as hellaswag

here = os.path.dirname(os.path.abspath(__file__))
tasks = os.path.dirname(lm_eval.tasks.__file__)
env = Environment(loader=BaseLoader, undefined=StrictUndefined, keep_trailing_newline=True)  # as in lm_eval.utils


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


def task(path):
    with open(os.path.join(tasks, path)) as f:
        return yaml.load(f, Loader)


def render(template, doc):
    return env.from_string(template).render(**doc)


def choices(t, doc):
    c = t["doc_to_choice"]
    if isinstance(c, list):
        return c
    if c in doc:
        return doc[c]
    import ast

    return ast.literal_eval(render(c, doc))


def gold(t, doc):
    target = t["doc_to_target"]
    return int(doc[target] if target in doc else render(target, doc))


def one(t, doc):
    return {"prompt": render(t["doc_to_text"], doc), "choices": [" " + c for c in choices(t, doc)], "answer": gold(t, doc)}


out = []

arc = [
    {"id": "a", "question": "Which of these is a metal?", "choices": {"text": ["iron", "wood", "glass", "wool"], "label": ["A", "B", "C", "D"]}, "answerKey": "A"},
    {"id": "b", "question": "What do plants take up? ", "choices": {"text": ["light", "sound", "noise"], "label": ["1", "2", "3"]}, "answerKey": "1"},
    {"id": "c", "question": "Five \"ways\"?", "choices": {"text": ["v", "w", "x", "y", "z"], "label": ["A", "B", "C", "D", "E"]}, "answerKey": "E"},
]
t = task("arc/arc_easy.yaml")
out.append({"task": "arc", "file": "test.jsonl", "rows": [json.dumps(r) for r in arc], "docs": [one(t, r) for r in arc]})

rows = [
    {"ind": 1, "activity_label": "Removing ice from car", "ctx_a": "Then, the man writes over the snow.", "ctx_b": "then", "ctx": "Then, the man writes over the snow. then", "endings": [", he adds wax.", "he [substeps] waits [title] outside.  He   sleeps.", "McDonald stays", "ends."], "label": "3"},
    {"ind": 2, "activity_label": "Home and Garden", "ctx_a": "[header] How to rest [title] Sit down. [step] Chairs  help.", "ctx_b": "", "ctx": "x", "endings": ["[title] Sit. [step] Rest.", "b", "c", "d"], "label": "0"},
    {"ind": 3, "activity_label": "Naming", "ctx_a": "A dog runs.", "ctx_b": "the BIG Éclair man", "ctx": "x", "endings": [" a ", "b\n", "c", "d"], "label": "1"},
]
docs = []
for r in rows:
    docs += hellaswag.process_docs(type("Docs", (list,), {"map": lambda self, f: [f(x) for x in self]})([r]))
t = task("hellaswag/hellaswag.yaml")
out.append({"task": "hellaswag", "file": "validation.jsonl", "rows": [json.dumps(r) for r in rows], "docs": [one(t, {**d, "label": d["gold"]}) for d in docs]})

rows = [{"goal": "To open a jar", "sol1": "turn the lid", "sol2": "shout at it", "label": 0}, {"goal": "How do I boil water?", "sol1": "in a sieve", "sol2": "in a pot.", "label": 1}]
t = task("piqa/piqa.yaml")
out.append({"task": "piqa", "file": "validation.jsonl", "rows": [json.dumps(r) for r in rows], "docs": [one(t, r) for r in rows]})

rows = [{"context": "Ana lost her key.", "question": "What will Ana do?", "answerA": "search", "answerB": "sing", "answerC": "swim", "label": "1"}]
t = task("siqa/siqa.yaml") if os.path.exists(os.path.join(tasks, "siqa/siqa.yaml")) else task("siqa/social_iqa.yaml")
out.append({"task": "siqa", "file": "validation.jsonl", "rows": [json.dumps(r) for r in rows], "docs": [one(t, r) for r in rows]})

# MMLU as published, with a CR LF inside quotes as the dev split of college_mathematics has it; pandas and the hub's data set keep it.
dev = '"Which must be true?\r\nI. One.\r\nII. Two.",I only,II only,both,neither,B\n"A set, of two?",1,2,3,4,D\n'
test = '" Is it so?  ",yes,no,"so, so",never,A\nLast?,1.0,N/A,None,nan,C\n'


def table(text):
    frame = pandas.read_csv(io.StringIO(text, newline=""), header=None, dtype=str, keep_default_na=False)
    return [{"question": r[0], "choices": list(r[1:5]), "answer": "ABCD".index(r[5])} for r in frame.values]


t = task("mmlu/default/_default_template_yaml")
head = task("mmlu/default/mmlu_college_mathematics.yaml")["description"]
shots = "".join(render(t["doc_to_text"], d) + " " + t["doc_to_choice"][d["answer"]] + "\n\n" for d in table(dev))
out.append({"task": "mmlu", "file": "test/college_mathematics_test.csv", "dev": dev, "test": test, "shots": 2, "docs": [{**one(t, d), "prompt": head + shots + render(t["doc_to_text"], d)} for d in table(test)]})

with open(os.path.join(here, "tasks.json"), "w") as f:
    json.dump(out, f, indent=1, ensure_ascii=False)
    f.write("\n")
