package attention

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Phase tells a pass over whole prompts from a step that continues them.
type Phase int

const (
	Prefill Phase = iota // all tokens of the prompts at once: queries == keys
	Decode               // one new token per sequence against the cache: queries == 1
)

func (p Phase) String() string {
	if p == Decode {
		return "decode"
	}
	return "prefill"
}

// Dims are a model's dimensions as experiments see them.
type Dims struct{ Layers, Heads, KVHeads, HeadDim, Vocab, Positions int }

// Layer is one layer of a model in a phase.
type Layer struct {
	Index    int
	Phase    Phase
	HasSinks bool // learned sink logits take part in its softmax
	Dims
}

// Experiment says what happens at each layer's attention. Visit runs on the host, before any graph is built, once for each layer of a pass in ascending order of
// layers: it is how the model knows which layers are alike. A nil Visit leaves the layer alone, which takes its fastest way. Visit panics, as graph-building code
// does, where the experiment means nothing for the model; a pass returns that as its error.
type Experiment interface {
	Visit(Layer) *Visit
}

// Visit is what happens at one layer.
type Visit struct {
	// Key names the graph that Build and Residual make: layers and experiments whose Visits have equal keys share compiled graphs. Everything that they depend on
	// is in the key but the Inputs' values, the layer's index included.
	Key string
	// Inputs are numbers that differ between layers or experiments of one key, by name: float32 inputs of the graph, see Site.Input. Their lengths are part of
	// the key.
	Inputs map[string][]float32
	// Build observes or rewrites the layer's attention; may be nil.
	Build func(*Site)
	// MLP is called with the output of the layer's MLP, [batch, tokens, hidden] in the model's type, behind a norm of its own where it has one, in prefills only; may be nil.
	MLP func(*Site, *Node)
	// Residual is called with the residual stream behind the layer, [batch, tokens, hidden] in the model's type, in prefills only; may be nil.
	Residual func(*Site, *Node)
	// Trees says that the visit does to the sequences of a tree, a prompt and continuations that share it within a row, what it does to each alone. A token's place in the
	// row is then not its position in its sequence: what is done to attention must go by QueryPos, KeyPos and Mask, and must not count what the queries behind the
	// prompt, or keys that a query does not see, have together. Without it sequences have rows of their own.
	Trees bool
}

// Describe is the key with the names and lengths of the inputs; empty for nil.
func (v *Visit) Describe() string {
	if v == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(v.Key)
	for _, name := range slices.Sorted(maps.Keys(v.Inputs)) {
		fmt.Fprintf(&b, " %s[%d]", name, len(v.Inputs[name]))
	}
	return b.String()
}

// Sequence attaches experiments in order: at each site the first acts first, and the next sees what it left. An intervention followed by an observer measures the
// attention that the intervention made. What one of them keeps, and its inputs, no other sees. Nil experiments are left out; without any Sequence is nil.
func Sequence(experiments ...Experiment) Experiment {
	var s sequence
	for _, e := range experiments {
		if e != nil {
			s = append(s, e)
		}
	}
	switch len(s) {
	case 0:
		return nil
	case 1:
		return s[0]
	}
	return s
}

type sequence []Experiment

func (s sequence) Visit(l Layer) *Visit {
	all := &Visit{Inputs: map[string][]float32{}, Trees: true}
	var keys []string
	var builds []func(*Site)
	var mlps, residuals []func(*Site, *Node)
	for i, e := range s {
		v := e.Visit(l)
		if v == nil {
			continue
		}
		scope := fmt.Sprintf("%d/", i)
		keys = append(keys, scope+v.Key)
		all.Trees = all.Trees && v.Trees
		for name, values := range v.Inputs {
			all.Inputs[scope+name] = values
		}
		if v.Build != nil {
			builds = append(builds, func(site *Site) { site.within(scope, func() { v.Build(site) }) })
		}
		scoped := func(f func(*Site, *Node)) func(*Site, *Node) {
			return func(site *Site, x *Node) { site.within(scope, func() { f(site, x) }) }
		}
		if v.MLP != nil {
			mlps = append(mlps, scoped(v.MLP))
		}
		if v.Residual != nil {
			residuals = append(residuals, scoped(v.Residual))
		}
	}
	if keys == nil {
		return nil
	}
	all.Key = strings.Join(keys, " then ")
	if builds != nil {
		all.Build = func(site *Site) {
			for _, f := range builds {
				f(site)
			}
		}
	}
	all.MLP, all.Residual = inOrder(mlps), inOrder(residuals)
	return all
}

// inOrder calls all of them; nil for none.
func inOrder(fs []func(*Site, *Node)) func(*Site, *Node) {
	if fs == nil {
		return nil
	}
	return func(site *Site, x *Node) {
		for _, f := range fs {
			f(site, x)
		}
	}
}
