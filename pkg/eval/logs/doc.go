// Package logs reads what others' evaluations wrote, item by item, and compares or scores it without any model; and it writes our own
// results as EleutherAI's lm-evaluation-harness does.
//
// [Read] recognises by content
//
//	lm-eval    samples_*.jsonl of the harness, one row for each document and filter
//	inspect    the JSON that `inspect log dump` writes
//	outputs    {"outputs": [{"input", "prediction", "target"}]}, as BIG-Bench-Hard's were published
//	plain      JSONL, JSON or CSV rows with an item id and whether it was right, or an answer and its target
//
// each also compressed by gzip. [Compare] pairs two logs by item, [Rescore] reads the answers out of a log's texts again (package
// extract). Both give a [report.Part]. A sample whose answer cannot be read is wrong and counted as unparsed.
package logs
