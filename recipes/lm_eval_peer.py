"""The peer of `samples_piqa_*.jsonl`: EleutherAI's lm-evaluation-harness on the same model and the same PIQA items, side by side.

    python3 recipes/lm_eval_peer.py MODEL_DIRECTORY PIQA_DIRECTORY SAMPLES_FILE [ITEMS]

MODEL_DIRECTORY holds the checkpoint that the samples were made with, PIQA_DIRECTORY valid.jsonl and valid-labels.lst as published, and SAMPLES_FILE the
samples that `evaluate` wrote for PIQA. The harness runs in float32 on the CPU over the first ITEMS rows (100 by default; about a minute for 135 M parameters)
with a local task file; it reads nothing of ours. Prints one JSON line: whether the rows have the same keys (ours have "arm" besides), how far log-likelihoods
are apart at most, and both accuracies. Exit status 1 if keys differ or a log-likelihood is more than 2e-3 away.

Needs lm_eval 0.4.13, transformers and torch.
"""
import gzip
import json
import pathlib
import sys
import tempfile

import lm_eval
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

TOLERANCE = 2e-3
model, piqa, samples = map(pathlib.Path, sys.argv[1:4])
items = int(sys.argv[4]) if len(sys.argv) > 4 else 100
work = pathlib.Path(tempfile.mkdtemp())

labels = (piqa / "valid-labels.lst").read_text().split()
rows = [json.loads(line) | {"label": int(label)} for line, label in zip((piqa / "valid.jsonl").open(encoding="utf8"), labels)]
(work / "piqa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:items]))
(work / "piqa.yaml").write_text(json.dumps({
    "task": "piqa", "dataset_path": "json", "dataset_kwargs": {"data_files": {"validation": str(work / "piqa.jsonl")}}, "output_type": "multiple_choice",
    "validation_split": "validation", "doc_to_text": "Question: {{goal}}\nAnswer:", "doc_to_target": "label", "doc_to_choice": "{{[sol1, sol2]}}",
    "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm")], "metadata": {"version": 1.0},
}))
tracker = EvaluationTracker(output_path=str(work / "out"))
results = lm_eval.simple_evaluate(model="hf", model_args={"pretrained": str(model), "dtype": "float32"}, device="cpu", batch_size=8, tasks=["piqa"],
                                  task_manager=TaskManager(include_path=str(work), include_defaults=False), log_samples=True, bootstrap_iters=0)
peers = results.pop("samples")
tracker.save_results_aggregated(results=results, samples=peers)
tracker.save_results_samples(task_name="piqa", samples=peers["piqa"])
theirs = {row["doc_id"]: row for row in map(json.loads, next((work / "out").rglob("samples_piqa_*.jsonl")).open(encoding="utf8"))}

opened = gzip.open(samples, "rt", encoding="utf8") if samples.suffix == ".gz" else samples.open(encoding="utf8")
ours = {row["doc_id"]: row for row in map(json.loads, opened) if row.get("arm", "baseline") == "baseline"}
both = sorted(theirs.keys() & ours.keys())
if not both:
    sys.exit(f"{samples} has none of the first {items} items")


def scores(row):
    return [float(choice[0][0]) for choice in row["resps"]]


apart = max(abs(a - b) for i in both for a, b in zip(scores(ours[i]), scores(theirs[i]), strict=True))
keys = all(set(ours[i]) - {"arm"} == set(theirs[i]) for i in both)
hashes = sum(ours[i][h] == theirs[i][h] for i in both for h in ("doc_hash", "prompt_hash", "target_hash"))


def accuracy(rows, metric):
    return sum(rows[i][metric] for i in both) / len(both)


print(json.dumps({
    "items": len(both), "same_keys": keys, "same_hashes": f"{hashes} of {3 * len(both)}", "largest_difference": apart,
    "acc": [accuracy(ours, "acc"), accuracy(theirs, "acc")], "acc_norm": [accuracy(ours, "acc_norm"), accuracy(theirs, "acc_norm")],
}))
sys.exit(0 if keys and apart <= TOLERANCE else 1)
