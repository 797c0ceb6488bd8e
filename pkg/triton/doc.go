// Package triton runs kernels written in Triton's intermediate representation (Tillet et al. 2019, https://triton-lang.org) inside a graph: XLA compiles the text for the
// GPU, with the Triton that the plugin carries.
//
// A Kernel is the text with its grid; Call puts it into a graph. The text is read by whatever compiler is there, so nothing relies on a kernel before a Trial of its
// kind: a small case compared with plain operations, whose success is remembered in the cache folder. A kernel needs an NVIDIA GPU and has no gradient.
package triton
