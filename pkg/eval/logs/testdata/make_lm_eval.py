"""Writes the logs in testdata/lm_eval with lm_eval 0.4.13: two small tasks of hand-made items, answered by a seeded stand-in for a model.

    python make_lm_eval.py lm_eval

Environment, times and paths are taken out of results_*.json; its keys stay.
"""
import json, pathlib, random, shutil, sys, tempfile

import lm_eval
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

OUT = pathlib.Path(sys.argv[1])
WORK = pathlib.Path(tempfile.mkdtemp())

CHOICES = [
    {"goal": "Dry wet shoes", "sol1": "stuff them with newspaper", "sol2": "stuff them with ice", "label": 0},
    {"goal": "Keep bread fresh", "sol1": "leave it in the rain", "sol2": "keep it in a tin", "label": 1},
    {"goal": "Cool a drink", "sol1": "add ice", "sol2": "add a lamp", "label": 0},
    {"goal": "Sharpen a pencil", "sol1": "use a spoon", "sol2": "use a sharpener", "label": 1},
    {"goal": "Open a jar", "sol1": "twist the lid", "sol2": "twist the table", "label": 0},
    {"goal": "Light a room", "sol1": "close the curtains", "sol2": "turn on the lamp", "label": 1},
]
SUMS = [{"question": f"What is {a} + {b}?", "answer": f"{a} plus {b} is {a + b}.\n#### {a + b}"} for a, b in [(2, 3), (10, 7), (40, 2), (8, 8), (1, 99)]]


class Seeded(LM):
    def __init__(self, seed):
        super().__init__()
        self.r = random.Random(seed)

    def loglikelihood(self, requests, **_):
        return [(-round(self.r.uniform(1, 20), 4), False) for _ in requests]

    def loglikelihood_rolling(self, requests, **_):
        return [-1.0 for _ in requests]

    def generate_until(self, requests, **_):
        out = []
        for q in requests:
            a, b = [int(w.strip("?")) for w in q.args[0].split() if w.strip("?").isdigit()][-2:]
            right = a + b
            out.append(self.r.choice([f"It is {right}.\n#### {right}", f"The answer is {right}.", f"#### {right + 1}", "I do not know."]))
        return out


def task(name, **config):
    path = WORK / f"{name}.yaml"
    path.write_text(json.dumps({"task": name, "dataset_path": "json", **config}))


(WORK / "choices.json").write_text(json.dumps(CHOICES))
(WORK / "sums.json").write_text(json.dumps(SUMS))
task("tiny_piqa", dataset_kwargs={"data_files": {"validation": str(WORK / "choices.json")}}, output_type="multiple_choice", validation_split="validation",
     doc_to_text="Question: {{goal}}\nAnswer:", doc_to_target="label", doc_to_choice="{{[sol1, sol2]}}",
     metric_list=[{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm")], metadata={"version": 1.0})
task("tiny_sums", dataset_kwargs={"data_files": {"test": str(WORK / "sums.json")}}, output_type="generate_until", test_split="test",
     doc_to_text="Question: {{question}}\nAnswer:", doc_to_target="{{answer.split('####')[-1].strip()}}",
     generation_kwargs={"until": ["Question:"], "do_sample": False},
     metric_list=[{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
     filter_list=[{"name": "strict-match", "filter": [{"function": "regex", "regex_pattern": "#### (\\-?[0-9\\.\\,]+)"}, {"function": "take_first"}]},
                  {"name": "flexible-extract", "filter": [{"function": "regex", "group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"}, {"function": "take_first"}]}],
     metadata={"version": 3.0})

for run, seed in (("a", 1), ("b", 2)):
    tracker = EvaluationTracker(output_path=str(WORK / run))
    results = lm_eval.simple_evaluate(model=Seeded(seed), tasks=["tiny_piqa", "tiny_sums"], task_manager=TaskManager(include_path=str(WORK), include_defaults=False),
                                      log_samples=True, bootstrap_iters=0, evaluation_tracker=tracker)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for name, rows in samples.items():
        tracker.save_results_samples(task_name=name, samples=rows)
    to = OUT / run
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for f in sorted((WORK / run).rglob("*")):
        if f.suffix == ".jsonl":
            shutil.copy(f, to / (f.name.split("_2")[0] + "_2026-11-29T00-00-00.000000.jsonl"))
        elif f.suffix == ".json":
            r = json.loads(f.read_text())
            for key in ("pretty_env_info", "date", "start_time", "end_time", "total_evaluation_time_seconds", "git_hash", "model_name", "model_name_sanitized", "upper_git_hash"):
                if key in r:
                    r[key] = "removed"
            for config in r["configs"].values():
                config["metadata"]["config_source"] = "removed"
                config["dataset_kwargs"] = {"data_files": "removed"}
            (to / "results_2026-11-29T00-00-00.000000.json").write_text(json.dumps(r, indent=2, ensure_ascii=False) + "\n")
