package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"
)

// Adapter adds a product of two narrow matrices to projections of the blocks (LoRA; Hu et al. 2021, arXiv 2106.09685):
//
//	y = x·Wᵀ + b + alpha/rank * (x·Aᵀ)·Bᵀ,  A [rank, in], B [out, rank]
//
// A starts uniform in ±1/sqrt(in) and B at zero, as PEFT has it, so an adapter that has not been trained changes nothing.
type Adapter struct {
	Rank    int      // 0 adapts nothing
	Alpha   float64  // 0 = Rank, a factor of one
	Targets []string // ends of the names of projections, "q_proj" or "self_attn.q_proj"; none = every projection of the blocks
}

// Scale is the factor of the product.
func (a Adapter) Scale() float64 {
	if a.Rank == 0 || a.Alpha == 0 {
		return 1
	}
	return a.Alpha / float64(a.Rank)
}

// adapted is an attached adapter.
type adapted struct {
	Adapter
	modules map[string]adaptedPart
	base    string // the model's Hash without it
}

// adaptedPart is one adapted projection: adapters from elsewhere may have another rank and factor for each.
type adaptedPart struct {
	dense
	rank  int
	scale float64
}

const loraA, loraB = ".lora_A.weight", ".lora_B.weight" // PEFT's names behind a module's

// AttachAdapter puts an adapter beside the model's projections; every pass from now on has it, and the model has no Hash until it is detached. Its matrices are
// float32 variables of the Store, drawn from the seed. A target that no projection has is an error that lists those there are.
func (m *Model) AttachAdapter(a Adapter, seed uint64) error {
	if err := m.oneDeviceOnly("attaching an adapter"); err != nil {
		return err
	}
	if m.adapter != nil {
		return fmt.Errorf("the model has an adapter already: merge or detach it first")
	}
	if a.Rank < 0 {
		return fmt.Errorf("an adapter of rank %d: the rank is the width of its matrices", a.Rank)
	}
	if err := m.splitAll(); err != nil {
		return err
	}
	modules := map[string]adaptedPart{}
	unused := slices.Clone(a.Targets)
	for _, d := range m.arch.projections() {
		hit := func(t string) bool { return d.name == t || strings.HasSuffix(d.name, "."+t) }
		if len(a.Targets) == 0 || slices.ContainsFunc(a.Targets, hit) {
			modules[d.name] = adaptedPart{d, a.Rank, a.Scale()}
		}
		unused = slices.DeleteFunc(unused, hit)
	}
	if len(unused) > 0 {
		return fmt.Errorf("no projection of this %s is named %s, expected of %s", m.Config.ModelType, strings.Join(unused, ", "), strings.Join(m.Projections(), ", "))
	}
	if a.Rank == 0 {
		modules = map[string]adaptedPart{}
	}
	m.setAdapter(&adapted{a, modules, m.Hash})
	m.Hash = ""
	for i, name := range m.AdapterModules() {
		d := modules[name]
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		first, second := make([]float32, a.Rank*d.in), make([]float32, d.out*a.Rank)
		for k := range first {
			first[k] = float32((2*rng.Float64() - 1) / math.Sqrt(float64(d.in)))
		}
		for suffix, t := range map[string]*tensors.Tensor{loraA: tensors.FromFlatDataAndDimensions(first, a.Rank, d.in), loraB: tensors.FromFlatDataAndDimensions(second, d.out, a.Rank)} {
			if _, err := m.store.RootScope().CreateVariable(name+suffix, t); err != nil {
				return fmt.Errorf("adapter of %q: %w", name, err)
			}
		}
	}
	return nil
}

// Adapter is the one attached; false if there is none.
func (m *Model) Adapter() (Adapter, bool) {
	if m.adapter == nil {
		return Adapter{}, false
	}
	return m.adapter.Adapter, true
}

// AdapterModules are the names of the adapted projections, sorted.
func (m *Model) AdapterModules() []string {
	var names []string
	if m.adapter != nil {
		for name := range m.adapter.modules {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// AdapterWeights are the names of an adapter's variables in the Store: for each adapted module A [rank, in] and B [out, rank].
func (m *Model) AdapterWeights() []string {
	var names []string
	for _, module := range m.AdapterModules() {
		names = append(names, module+loraA, module+loraB)
	}
	return names
}

// AdapterBase is the Hash of the model that an adapter is attached to; empty for a model made by New, and without an adapter.
func (m *Model) AdapterBase() string {
	if m.adapter == nil {
		return ""
	}
	return m.adapter.base
}

// Projections are the last parts of the names of the blocks' projections, what an adapter may target.
func (m *Model) Projections() []string {
	var names []string
	for _, d := range m.arch.projections() {
		for _, p := range m.partsOf(d) {
			names = append(names, p.name[strings.LastIndex(p.name, ".")+1:])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// DetachAdapter takes the adapter away: the model is what it was before.
func (m *Model) DetachAdapter() error {
	for _, name := range m.AdapterWeights() {
		if err := m.store.DeleteVariable("/" + name); err != nil {
			return err
		}
	}
	if m.adapter != nil {
		m.Hash = m.adapter.base
	}
	m.setAdapter(nil)
	return nil
}

// MergeAdapter adds alpha/rank * B·A to the projections' weights and takes the adapter away. The sum is made in float32 and rounded to the model's type.
func (m *Model) MergeAdapter() error {
	if m.adapter == nil {
		return fmt.Errorf("the model has no adapter to merge")
	}
	modules := m.AdapterModules()
	if len(modules) > 0 {
		exec, err := mlmodel.NewExec(m.Backend, m.store, func(_ *mlmodel.Scope, g *Graph) *Node {
			value := func(name string) *Node { return m.store.GetVariable("/" + name).NodeValue(g) }
			for _, name := range modules {
				a, b := value(name+loraA), value(name+loraB)
				change := MulScalar(Dot(b, a).MatMul(), m.adapter.modules[name].scale) // [out, in]
				if m.adapter.modules[name].transposed {
					change = Transpose(change, 0, 1)
				}
				w := m.store.GetVariable("/" + name + ".weight")
				sum := Add(ConvertDType(w.NodeValue(g), dtypes.Float32), change)
				w.SetNodeValue(ConvertDType(sum, w.DType()))
			}
			return ScalarOne(g, dtypes.Float32)
		})
		if err != nil {
			return err
		}
		defer exec.Finalize()
		if _, err := exec.Exec(); err != nil {
			return fmt.Errorf("merging the adapter: %w", err)
		}
		m.adapter.base = "" // that model does not exist any longer
	}
	return m.DetachAdapter()
}

// setAdapter changes what passes compute, so the compiled ones go.
func (m *Model) setAdapter(a *adapted) {
	m.adapter = a
	m.dropCompiled()
}

// addend is what the adapter adds to a module's product; nil where it adds nothing. The factor is in B already: see params.
func (d *decoder) addend(name string, x *Node) *Node {
	a := d.params[name+loraA]
	if a == nil {
		return nil
	}
	product := func(x, w *Node) *Node { return d.matmul(x, x.Rank()-1, w, 1, 0) }
	return product(product(x, a), d.params[name+loraB])
}

// projections lists the products of the blocks, a shared expert's among them.
func (a *architecture) projections() []dense {
	var all []dense
	for i := range a.blocks {
		products := a.blocks[i].products()
		if e := a.blocks[i].mlp.experts; e != nil {
			products = append(products, &e.shared.gate, &e.shared.up, &e.shared.down, &e.sharedGate)
		}
		for _, d := range products {
			if d.name != "" {
				all = append(all, *d)
			}
		}
	}
	return all
}

// products are the places of a block where a product may be.
func (b *block) products() []*dense {
	return []*dense{&b.attn.query, &b.attn.key, &b.attn.value, &b.attn.fused, &b.attn.out, &b.mlp.gate, &b.mlp.up, &b.mlp.gateUp, &b.mlp.down}
}
