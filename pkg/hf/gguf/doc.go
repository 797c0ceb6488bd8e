// Package gguf reads GGUF files, in which llama.cpp and Ollama keep models: metadata, quantised tensors and the tokenizer in one file.
//
// # The layout (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3)
//
//	"GGUF", version uint32, number of tensors uint64, number of metadata entries uint64
//	each entry:  key string, type uint32, value        (a string is a uint64 length and its bytes)
//	each tensor: name string, dimensions uint32, sizes uint64 each (the innermost first), type uint32, offset uint64
//	the data, at the next multiple of general.alignment; offsets count from there
//
// Numbers are little endian. Every count, length and offset is checked against the file before anything is allocated for it: a truncated, lying or
// big-endian file is an error that says what was found and what was expected.
//
// # Dequantisation
//
// [Tensor.Float32s] computes what the gguf package for Python computes, bit for bit: products and sums are rounded to float32 one by one, never fused.
// The types are F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K and MXFP4; the others (IQ..., TQ...) are refused by name.
//
// # A checkpoint
//
// [OpenCheckpoint] gives a file the face of a Hugging Face model directory: tensors under the names and in the layout of transformers,
// a config.json and a tokenizer.json made of the metadata. llama.cpp stores some weights differently, which is undone here: the rows of Llama's
// rotated heads are interleaved, and Gemma's norms hold 1 + w.
package gguf
