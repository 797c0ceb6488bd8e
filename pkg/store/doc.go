// Package store keeps results on disk under what they depend on.
//
// A [Job] names everything that a set of results depends on but the item: the weights, the tokenizer, the form of the prompt, the arm, the numerics and the sources that
// compute. Its hash is the set's [Key]. A [Record] is the result of one item. So resuming is loading, subtracting and computing the rest; a sweep is many jobs
// that share arms; shards of a run are parts that are united on reading.
//
//	runs/store/ab/abcdef…/job.json               the job, readable
//	runs/store/ab/abcdef…/<run>[-<shard>].jsonl  records, append-only, one file for each run and shard
//	runs/store/ab/abcdef…/<kind>.safetensors     a blob, such as a survey
//
// A part is written by one process: whoever writes under a run's name holds that run. A process that is killed loses no record that was put; a power failure loses
// those of the last second. A last line that was not written whole is not read, and cut when its run continues.
//
// A [Part] is a share of the items; parts that were computed into stores of their own are united by [Store.Merge].
//
// Records of an item must be equal in all parts. Where they are not, something that the job does not name decided the result, and reading is an error.
package store
