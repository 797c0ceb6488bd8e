package sink

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/attune-lab/attune/pkg/model"
)

// observed is what a pass gave of one prompt.
type observed struct {
	values map[string][]float32 // statistic -> [layers, ...], without the padding
	width  int                  // groups of tokens in a row of cells
}

// gathering takes what a batch emits, at each layer [batch, ..., tokens] or [batch, ...], to where each prompt keeps it.
type gathering struct {
	names   []string // of statistics: what else is emitted is not the survey's
	layers  int
	rows    int   // of the batch, dummies included
	lengths []int // tokens of each prompt

	mu     sync.Mutex
	values map[string]*gathered
}

// gathered are the values of a statistic.
type gathered struct {
	prompts [][]float32 // of each prompt [layers, lines, kept]
	lines   int         // of a layer, each without the padding
	line    int         // values of a line
	kept    []int       // and how many of them a prompt keeps
	width   int         // of the last axis
	layers  int         // that are there
}

// receive takes an observation, from any goroutine. Where a row is all that is there, and nothing of it is padding, it is copied once, straight from the device.
func (g *gathering) receive(o model.Observation) error {
	name, ok := strings.CutPrefix(o.Name, emittedName(""))
	if !ok || !slices.Contains(g.names, name) {
		return nil
	}
	v := g.of(name, o)
	size := v.lines * v.line
	if g.rows == 1 && v.kept[0] == v.line && contiguous(o.Layers) {
		if err := o.CopyTo(v.prompts[0][o.Layers[0]*size:][:len(o.Layers)*size]); err != nil {
			return fmt.Errorf("reading %q: %w", name, err)
		}
		return nil
	}
	err := o.Read(func(flat []float32) {
		for i, l := range o.Layers {
			for row, own := range v.prompts {
				kept, from := v.kept[row], flat[(i*g.rows+row)*size:]
				for j := range v.lines {
					copy(own[(l*v.lines+j)*kept:][:kept], from[j*v.line:])
				}
			}
		}
	})
	if err != nil {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	return nil
}

// of is where a statistic's values go, made when the first ones come.
func (g *gathering) of(name string, o model.Observation) *gathered {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.values[name]
	if v == nil {
		d := o.Shape.Dimensions
		v = &gathered{lines: 1, line: o.Shape.Size() / d[0], width: d[len(d)-1]}
		if perToken[name] {
			v.lines, v.line = v.line/v.width, v.width
		}
		for _, tokens := range g.lengths {
			kept := v.line
			if perToken[name] {
				kept = tokens
			}
			v.kept = append(v.kept, kept)
			v.prompts = append(v.prompts, make([]float32, g.layers*v.lines*kept))
		}
		g.values[name] = v
	}
	v.layers += len(o.Layers)
	return v
}

// prompts are what was observed of each, when the pass has ended.
func (g *gathering) prompts() ([]*observed, error) {
	out := make([]*observed, len(g.lengths))
	for row := range out {
		out[row] = &observed{values: map[string][]float32{}}
	}
	for _, name := range g.names {
		v := g.values[name]
		if v == nil || v.layers != g.layers {
			return nil, fmt.Errorf("the pass did not give %q at every layer", name)
		}
		for row, o := range out {
			o.values[name] = v.prompts[row]
			if name == nameCells {
				o.width = v.width
			}
		}
	}
	return out, nil
}

// contiguous reports whether the layers follow each other.
func contiguous(layers []int) bool {
	for i, l := range layers {
		if l != layers[0]+i {
			return false
		}
	}
	return true
}
