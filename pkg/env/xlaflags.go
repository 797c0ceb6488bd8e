package env

import "strings"

// CUDAFlags are what XLA compiles with for NVIDIA GPUs. Trying out algorithms and Triton's matrix products is most of the time that XLA compiles: the first pass
// of a 30-layer model (16 x 512 tokens, float32, H200) took 18.9 s with XLA's defaults and 5.9 s with these flags, later passes 57.6 ms with either. Level 0
// needs Triton off: with it, that level's products run 7 times slower.
var CUDAFlags = []string{"--xla_gpu_autotune_level=0", "--xla_gpu_enable_triton_gemm=false"}

// NoCUDAGraphs has XLA record no launches.
const NoCUDAGraphs = "--xla_gpu_enable_command_buffer="

// TrainingFlags are what training steps are compiled with before CUDAFlags. The buffers of weights move from step to step, since go-xla does not alias
// them, so CUDA graphs ("command buffers") would be recorded again every time: 124 million parameters took 71.2 ms a step with them and 66.6 ms
// without, on an H200. Algorithms are tried out (level 4, XLA's default), since a step runs thousands of times; Triton's products stay off, which cost 37 of the
// 47 s that such a step took to compile and won nearly nothing.
var TrainingFlags = []string{NoCUDAGraphs, "--xla_gpu_autotune_level=4", "--xla_gpu_enable_triton_gemm=false"}

// BenchFlags are what speed is measured with: XLA tries out everything, Triton's products too, which win in decoding of many sequences.
var BenchFlags = []string{"--xla_gpu_autotune_level=4", "--xla_gpu_enable_triton_gemm=true"}

// Profile is what a process compiles for. XLA reads its flags once, when its client opens: a process has one profile.
type Profile string

// Profiles.
const (
	Score Profile = "score" // answers, surveys and texts: little time to compile. Opening CUDA sets it where nothing else is set
	Bench Profile = "bench"
	Train Profile = "train"
	// Layers is Score for a model whose layers are placed on several cards: each computes for another pass, which recording would not allow.
	Layers Profile = "layers"
)

// Profiles lists them.
func Profiles() []Profile { return []Profile{Score, Bench, Train, Layers} }

// CUDAFlags are the profile's flags on NVIDIA GPUs.
func (p Profile) CUDAFlags() []string {
	switch p {
	case Bench:
		return BenchFlags
	case Train:
		return TrainingFlags
	case Layers:
		return append([]string{NoCUDAGraphs}, CUDAFlags...)
	}
	return CUDAFlags
}

// AddXLAFlags appends flags to a value of XLA_FLAGS. A flag whose name the value has already is left out: what the user sets stays.
func AddXLAFlags(value string, flags ...string) string {
	set := map[string]bool{}
	for _, flag := range strings.Fields(value) {
		name, _, _ := strings.Cut(flag, "=")
		set[name] = true
	}
	value = strings.TrimSpace(value)
	for _, flag := range flags {
		if name, _, _ := strings.Cut(flag, "="); !set[name] {
			set[name] = true
			value += " " + flag
		}
	}
	return strings.TrimSpace(value)
}
