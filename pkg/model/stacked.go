package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// stackedExperts is a source whose experts lie as transformers 5 holds them in memory, which is how a state dict saves them: those of a layer in two tensors,
// mlp.experts.gate_up_proj [experts, 2*inner, hidden], gate before up, and mlp.experts.down_proj [experts, hidden, inner]. It gives each expert's under the names that
// published files have.
type stackedExperts struct {
	source
	slices map[string]expertSlice // by published name
}

// expertSlice is a stored tensor, or of one [experts, rows, columns] some rows of one expert.
type expertSlice struct {
	stored        string
	experts, rows int // 0 = the whole tensor
	expert        int
	from, to      int
}

const stackedUp, stackedDown = "mlp.experts.gate_up_proj", "mlp.experts.down_proj"

// hasStacked reports whether a source has experts that may lie so; gpt_oss' files have such names, too.
func hasStacked(src source) bool {
	return slices.ContainsFunc(src.Names(), func(name string) bool { return strings.HasSuffix(name, stackedUp) })
}

// unstack returns a source with published names of experts, src itself where it has no stacked ones.
func unstack(src source, a *architecture) source {
	names := map[string]bool{}
	for _, name := range src.Names() {
		names[name] = true
	}
	s := stackedExperts{src, map[string]expertSlice{}}
	a.each(func(b *block, p string) {
		e := b.mlp.experts
		if e == nil || e.gateUp != "" {
			return
		}
		for _, p := range []string{p, strings.TrimPrefix(p, a.prefix)} {
			up, down, router := p+stackedUp, p+stackedDown, p+"mlp.gate.weight"
			if !names[up] || !names[down] {
				continue
			}
			if !names[e.router.name+".weight"] && names[router] {
				s.slices[e.router.name+".weight"] = expertSlice{stored: router}
			}
			for i := range e.count {
				name := func(module string) string { return fmt.Sprintf("%s%d.%s.weight", e.prefix, i, module) }
				s.slices[name(e.module.gate)] = expertSlice{up, e.count, 2 * e.inner, i, 0, e.inner}
				s.slices[name(e.module.up)] = expertSlice{up, e.count, 2 * e.inner, i, e.inner, 2 * e.inner}
				s.slices[name(e.module.down)] = expertSlice{down, e.count, e.hidden, i, 0, e.hidden}
			}
		}
	})
	if len(s.slices) == 0 {
		return src
	}
	return s
}

// Names are those of the file without what lies stacked, and the published ones of that.
func (s stackedExperts) Names() []string {
	stored := map[string]bool{}
	for _, part := range s.slices {
		stored[part.stored] = true
	}
	names := slices.DeleteFunc(slices.Clone(s.source.Names()), func(name string) bool { return stored[name] })
	return slices.Sorted(slices.Values(append(names, slices.Collect(maps.Keys(s.slices))...)))
}

// Shape is that of the tensor that a slice stands for.
func (s stackedExperts) Shape(name string) ([]int, error) {
	part, ok := s.slices[name]
	if !ok {
		return s.source.Shape(name)
	}
	shape, err := s.source.Shape(part.stored)
	if err != nil || part.rows == 0 {
		return shape, err
	}
	if len(shape) != 3 || shape[0] != part.experts || shape[1] != part.rows {
		return nil, fmt.Errorf("tensor %q has shape %v, expected %d experts of %d rows from config.json", part.stored, shape, part.experts, part.rows)
	}
	return []int{part.to - part.from, shape[2]}, nil
}

// Tensor cuts a slice out.
func (s stackedExperts) Tensor(name string) (safetensors.Tensor, error) {
	part, ok := s.slices[name]
	if !ok {
		return s.source.Tensor(name)
	}
	shape, err := s.Shape(name)
	if err != nil {
		return safetensors.Tensor{}, err
	}
	whole, err := s.source.Tensor(part.stored)
	if err != nil {
		return whole, err
	}
	if part.rows == 0 {
		whole.Name = name
		return whole, nil
	}
	row := len(whole.Data) / (whole.Shape[0] * whole.Shape[1])
	at := (part.expert*whole.Shape[1] + part.from) * row
	return safetensors.Tensor{Name: name, DType: whole.DType, Shape: shape, Data: whole.Data[at : at+shape[0]*row]}, nil
}

// Forget lets the system take back the memory of a whole tensor.
func (s stackedExperts) Forget(name string) {
	if part, ok := s.slices[name]; ok {
		name = part.stored
	}
	s.source.Forget(name)
}

// Identity tells the files and that their experts are cut apart.
func (s stackedExperts) Identity() string { return "stacked experts\n" + identity(s.source) }

// ModTime is that of the files.
func (s stackedExperts) ModTime() time.Time { return modTime(s.source) }
