// Package safetensors reads and writes the safetensors format: the one file layout Attune takes weights and
// arrays from, because reading it runs no code and its header says everything before a byte of data is touched.
//
// # The layout
//
//	8 bytes   N, the header's length, little endian
//	N bytes   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
//	          "__metadata__": {"key": "value"}}, padded with spaces
//	the rest  the tensors' bytes, little endian, row major; offsets count from here
//
// A file is accepted only if every tensor's byte count equals the product of its shape times the size of its
// dtype, and the tensors cover the data exactly: no overlap, no hole, nothing left over. That is what the format
// demands (https://github.com/huggingface/safetensors#format); it also means that a truncated download is found
// when the file is opened and not in the middle of a forward pass.
//
// # Memory
//
// [Open] maps the file: opening a model of many gigabytes costs no copy and no wait. [Tensor].Data points into
// the map and is valid until [File.Close]; the conversions ([Tensor.Float32s], [Tensor.Int32s]) return fresh slices.
// A file must not be shortened while it is open. [Write] never does that: it writes a temporary file
// and renames it, so that a reader has either the old file or the new one.
//
// [OpenDir] opens a model directory, in one file or in shards with an index, behind the same methods.
package safetensors
