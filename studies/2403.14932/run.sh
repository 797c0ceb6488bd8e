#!/usr/bin/env bash
# Reruns the study: see README.md.
#
#     studies/2403.14932/run.sh MODEL DATA [BACKEND [PART...]]
#
# MODEL is the directory of the checkpoint, DATA a folder with piqa, siqa and mmlu as published. BACKEND is xla:cuda unless given. The parts are evaluate, reason, sinks and float32; all
# of them unless some are named. float32 is the part that a processor can do: it runs on xla:cpu unless CPU_BACKEND names another.
#
# A part runs into $RUNS/PART (runs/2403.14932/PART), and what is committed of it goes to $OUT/PART (this folder). A part that was stopped goes on when it is started again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
model=$(realpath "$1") data=$(realpath "$2") backend=${3:-xla:cuda}
parts=("${@:4}")
[ ${#parts[@]} -gt 0 ] || parts=(evaluate reason sinks float32)
cd "$here/../.."
runs=${RUNS:-runs/2403.14932} out=${OUT:-$here}

recipe() { # NAME PART BACKEND parameters
  local name=$1 part=$2 on=$3
  shift 3
  go run ./recipes run "$name" -o "$runs/$part" --force --backend "$on" -p model="$model" "$@"
}

for part in "${parts[@]}"; do
  pack=()
  case $part in
  evaluate)
    recipe evaluate evaluate "$backend" -p items="$data/piqa $data/siqa $data/mmlu" -p limit=0 -p arms="released literal first-release" -p controls="uniform random"
    pack=(-figures=false) # they stand in the executed notebook
    ;;
  reason)
    recipe reason reason "$backend" -p items="$data/siqa" -p limit=500 -p budgets=128 -p fillers=128 -p repeats=1 -p waits=0 -p samples=0 -p instruction=true -p interventions="off released"
    pack=(-figures=false)
    ;;
  sinks)
    recipe sinks sinks "$backend" -p prompts="$data/piqa" -p limit=500 -p length=64
    pack=(-figures=false -notebook=false)
    ;;
  float32)
    recipe evaluate float32 "${CPU_BACKEND:-xla:cpu}" -p items="$data/piqa $data/siqa" -p limit=60 -p arms="released literal first-release" -p controls="uniform random" -p dtype=float32
    pack=(-figures=false -notebook=false -picture=false)
    ;;
  *)
    echo "no part is called $part: evaluate, reason, sinks, float32" >&2
    exit 2
    ;;
  esac
  go run ./studies/pack "${pack[@]}" "$runs/$part" "$out/$part"
done
