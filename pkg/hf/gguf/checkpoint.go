package gguf

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Checkpoint is a file under the names and in the layout of transformers.
type Checkpoint struct {
	file   *File
	arch   architecture
	name   string            // general.architecture
	stored map[string]string // name in transformers -> name in the file
	names  []string
	heads  int
	kv     int
}

// OpenCheckpoint opens a file of a known architecture: llama, qwen2, qwen3, gemma2, gemma3, phi3. Metadata that would change the arithmetic and is not
// understood is an error that names it.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	c, err := newCheckpoint(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("gguf: %s: %w", path, err)
	}
	return c, nil
}

func newCheckpoint(f *File) (*Checkpoint, error) {
	name, ok := f.Value("general.architecture").Text()
	if !ok {
		return nil, fmt.Errorf("metadata key %q: not found, expected the model's architecture", "general.architecture")
	}
	a, ok := architectures[name]
	if !ok {
		return nil, fmt.Errorf("found architecture %q, expected one of %s; for another one take the model's safetensors", name, strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	if n, ok := f.Value("split.count").Int(); ok && n > 1 {
		return nil, fmt.Errorf("found one of %d parts of a model, expected it in one file; put them together with llama-gguf-split --merge", n)
	}
	c := &Checkpoint{file: f, arch: a, name: name, stored: map[string]string{}}
	for _, stored := range f.names {
		name, err := a.checkpointName(stored)
		if err != nil {
			return nil, err
		}
		if name != "" {
			c.stored[name] = stored
		}
	}
	c.names = slices.Sorted(maps.Keys(c.stored))
	if err := c.checkKeys(); err != nil {
		return nil, err
	}
	m := &metadata{file: f, prefix: name + "."}
	c.heads = m.integer("attention.head_count", 0)
	c.kv = m.integer("attention.head_count_kv", c.heads)
	return c, m.err
}

// Path returns the path the file was opened at.
func (c *Checkpoint) Path() string { return c.file.path }

// File is the file behind the checkpoint.
func (c *Checkpoint) File() *File { return c.file }

// Names returns the tensors' names in transformers, sorted.
func (c *Checkpoint) Names() []string { return slices.Clone(c.names) }

// Shape returns a tensor's shape without dequantising it.
func (c *Checkpoint) Shape(name string) ([]int, error) {
	stored, ok := c.stored[name]
	if !ok {
		return nil, fmt.Errorf("gguf: %s: tensor %q: not found", c.file.path, name)
	}
	return slices.Clone(c.file.tensors[stored].Shape), nil
}

// Tensor returns a tensor in float32, dequantised and in the layout of transformers.
func (c *Checkpoint) Tensor(name string) (safetensors.Tensor, error) {
	shape, err := c.Shape(name)
	if err != nil {
		return safetensors.Tensor{}, err
	}
	stored := c.stored[name]
	values := c.file.tensors[stored].Float32s()
	if c.arch.interleaved && isRotated(stored) {
		heads := c.heads
		if strings.Contains(stored, ".attn_k.") {
			heads = c.kv
		}
		if heads < 1 || shape[0]%(2*heads) != 0 {
			return safetensors.Tensor{}, fmt.Errorf("gguf: %s: tensor %q: found %d rows, expected a multiple of twice the %d heads", c.file.path, stored, shape[0], heads)
		}
		values = deinterleave(values, shape[0], heads)
	}
	if c.arch.plusOne && strings.HasSuffix(stored, "norm.weight") {
		for i := range values {
			values[i]--
		}
	}
	return safetensors.FromFloat32s(name, shape, values), nil
}

// Forget lets the system take back the memory of a tensor's bytes.
func (c *Checkpoint) Forget(name string) {
	if t, ok := c.file.tensors[c.stored[name]]; ok {
		start := len(c.file.mapping.Bytes()) - len(c.file.data) // both end where the file ends
		c.file.mapping.Forget(start+int(t.offset), start+int(t.offset)+len(t.data))
	}
}

// Identity tells the file from any other and from itself before it was changed, as that of a safetensors file does.
func (c *Checkpoint) Identity() string {
	content := c.file.mapping.Bytes()
	return fmt.Sprintf("%s %x", c.file.mapping.Identity(), sha256.Sum256(content[:len(content)-len(c.file.data)]))
}

// ModTime is when the file was last changed, as of its opening.
func (c *Checkpoint) ModTime() time.Time { return c.file.mapping.ModTime() }

// Describe says in a line what was dequantised: "272 tensors: 61 F32, 210 Q4_1, 1 Q8_0".
func (c *Checkpoint) Describe() string {
	counts := map[Type]int{}
	for _, t := range c.file.tensors {
		counts[t.Type]++
	}
	var parts []string
	for _, t := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[t], t))
	}
	return fmt.Sprintf("%d tensors: %s; dequantised to float32", len(c.file.tensors), strings.Join(parts, ", "))
}

// Close releases the file.
func (c *Checkpoint) Close() error { return c.file.Close() }
