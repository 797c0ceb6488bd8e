// Package cluster runs a recipe on many machines: as the array of a Slurm cluster, or as processes of this machine.
//
// A recipe is planned once: its notebook runs without computing, and what it would ask of the worker is written down. Each part then computes its share of the items
// of all these requests, every arm of an item together, into a store of its own; the last job unites the stores and runs the unchanged recipe, which finds
// every result and computes none, so that its note is that of one machine.
//
//	DIR                                     the run's directory: note.html, results.json, ...
//	DIR/submission/submission.json          what was submitted, and the ids of its jobs
//	DIR/submission/requests.jsonl           the plan
//	DIR/submission/part.sh, finish.sh       what every part and the last job execute
//	DIR/submission/bin/                     the programs, as they were when it was submitted
//	DIR/submission/device                   numerics of the part that started first
//	DIR/submission/parts/N/                 a part's progress.json, done.json or failed.json, log and store
//
// What decides stands in these files, since a cluster forgets jobs minutes after they end; Slurm is asked for what files cannot say: whether a job waits, runs or was lost.
// Slurm is driven by its own commands, sbatch, scontrol and scancel.
package cluster
