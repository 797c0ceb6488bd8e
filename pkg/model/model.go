package model

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/hub"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// Options say how a model is opened. The zero value opens it in float32 on the backend named by ATTUNE_BACKEND, else the Go backend.
type Options struct {
	Backend   compute.Backend // nil: backend.FromEnv
	DType     dtypes.DType    // Float32 (zero value) or BFloat16: the type of weights and matrix products
	DTypeName string          // the same in the words of a parameter, where DType is not set: "auto", "float32" or "bfloat16", see Config.ChooseDType
	// MaxBytes is how much the weights may take in DType on each device; more is refused before anything is allocated. 0: on the Go backend what the system reports
	// as available, on XLA no limit.
	MaxBytes int64
	// Devices is over how many devices of the backend the model is cut (tensor parallelism, see cut.go); 0 or 1: it is on one. On xla:cpu the backend must have been
	// opened with so many, as backend.OpenDevices does. Adapters, training and saving need one device.
	Devices int
	// Place is how several devices share the model: "" cuts every weight, PlaceLayers puts some layers on each (see placed.go).
	Place string
	// Adapter is a directory with a LoRA adapter in PEFT's layout, attached when the model is opened (see LoadAdapter); "" = none.
	Adapter string
	// RoundWeights, BFloat16, rounds weights to that type on reading, whatever they are stored as, and computes in DType: a model published in bfloat16 whose
	// file keeps more digits, such as a GGUF file's dequantised ones, is then what its references were computed with. Zero value: weights stay as stored.
	RoundWeights dtypes.DType
	// Download is told how the fetching of an hf: reference goes; may be nil.
	Download func(hub.Progress)
}

// Model is a transformer with its weights on a backend. Forward may be called concurrently, its other methods may not.
type Model struct {
	Config    *Config
	Tokenizer *tokenizer.Tokenizer // nil when the directory has none
	Backend   compute.Backend
	DType     dtypes.DType
	// Hash identifies the weights: SHA-256 over names, types, shapes and bytes of the checkpoint; empty for a model made by New.
	Hash string
	// Source is where the weights came from: "directory", "gguf" with its types of tensors, "hf:owner/name@commit", or empty for a model made by New.
	Source string
	// Warnings are what Load let through and a reader should know, a line each.
	Warnings []string

	arch       *architecture
	weights    []weight       // of the checkpoint
	fused      []fusedWeights // products made of several of the checkpoint's, see arrange
	inputMajor []dense        // products stored [in, out] that are [out, in] in the checkpoint
	split      bool           // the weights stay as in the checkpoint from now on
	store      *mlmodel.Store
	mu         sync.Mutex
	execs      map[string]*compiled
	stages     map[string]*stage // see pass.go
	blockKinds []string
	numbers    map[string]*value       // inputs of experiments
	mesh       *distributed.DeviceMesh // nil: not cut, see devices.go
	placed     *placed                 // nil: its layers are on one device, or cut
	cuts       map[string]cutting      // how the checkpoint's weights are cut; what is not named is whole on every device
	adapter    *adapted                // nil = none

	compilations atomic.Int64
}

// New makes a model with random weights, the same for a seed everywhere. The tokenizer may be nil.
func New(c *Config, tok *tokenizer.Tokenizer, seed uint64, opts Options) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m, err := newModel(c, opts)
	if err != nil {
		return nil, err
	}
	m.Tokenizer = tok
	values, err := m.randomWeights(seed)
	if err != nil {
		return nil, err
	}
	return m, m.setWeights(values)
}

func newModel(c *Config, opts Options) (*Model, error) {
	b := opts.Backend
	if b == nil {
		var err error
		if b, err = backend.FromEnvDevices(opts.Devices); err != nil {
			return nil, err
		}
	}
	dtype := opts.DType
	if dtype == dtypes.InvalidDType && opts.DTypeName != "" {
		var err error
		if dtype, err = c.ChooseDType(opts.DTypeName, b); err != nil {
			return nil, err
		}
	}
	switch dtype {
	case dtypes.InvalidDType:
		dtype = dtypes.Float32
	case dtypes.Float32:
	case dtypes.BFloat16:
		if !backend.IsXLA(b) {
			return nil, fmt.Errorf("bfloat16 on the Go backend is many times slower than float32 and is not offered: leave Options.DType empty")
		}
	default:
		return nil, fmt.Errorf("a model computes in float32 or bfloat16, not in %s", dtype)
	}
	arch, err := c.describe()
	if err != nil {
		return nil, err
	}
	var mesh *distributed.DeviceMesh
	var layers *placed
	switch opts.Place {
	case "":
		mesh, err = newMesh(b, opts.Devices)
	case PlaceLayers:
		layers, err = newPlaced(b, opts.Devices)
	default:
		err = fmt.Errorf("devices share a model cut (%q) or by layers (%q), not %q", "", PlaceLayers, opts.Place)
	}
	if err != nil {
		return nil, err
	}
	m := &Model{Config: c, Backend: b, DType: dtype, arch: arch, weights: arch.weights(c), store: mlmodel.NewStore(), execs: map[string]*compiled{}, stages: map[string]*stage{},
		numbers: map[string]*value{}, mesh: mesh, placed: layers}
	m.planCut()
	return m, m.checkSize(opts.MaxBytes)
}

func (m *Model) setWeights(values map[string]*value) error {
	for _, w := range m.weights {
		if err := m.setVariable(w.name, values[w.name]); err != nil {
			return fmt.Errorf("weight %q: %w", w.name, err)
		}
	}
	return m.arrange()
}

// Close frees the weights and the executables at once, rather than when the garbage collector finds them: a device's memory is not the host's. The model is not used afterwards.
func (m *Model) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropCompiled()
	for v := range m.store.IterVariables() {
		if v.HasValue() {
			_ = v.Reset() // of a device that is gone
		}
	}
}

// Store holds the weights as GoMLX variables named as in the checkpoint, for training. Of a model over several devices they are for reading.
func (m *Model) Store() *mlmodel.Store {
	if err := m.splitAll(); err != nil {
		panic(err) // the backend failed at copying weights
	}
	return m.store
}

// parameterNames are the variables that passes read.
func (m *Model) parameterNames() []string {
	var names []string
	for _, w := range m.arch.weights(m.Config) {
		names = append(names, w.name)
	}
	return append(names, m.AdapterWeights()...)
}

// params reads every weight into a graph. It must happen in the graph's main function: loop bodies capture the nodes.
func (m *Model) params(g *Graph) map[string]*Node {
	return m.paramNodes(m.parameterNames(), func(name string) *Node { return m.store.GetVariable("/" + name).NodeValue(g) })
}

// paramNodes are the nodes of some weights as passes use them: an adapter's in the model's type, with its factor in the second.
func (m *Model) paramNodes(names []string, read func(name string) *Node) map[string]*Node {
	nodes := map[string]*Node{}
	for _, name := range names {
		x := read(name)
		switch {
		case strings.HasSuffix(name, loraA):
			x = ConvertDType(x, m.DType)
		case strings.HasSuffix(name, loraB):
			x = ConvertDType(MulScalar(x, m.adapter.modules[strings.TrimSuffix(name, loraB)].scale), m.DType)
		}
		nodes[name] = x
	}
	return nodes
}

// compiled is an executable with what its graphs emit beside the model's own outputs.
type compiled struct {
	model   *Model
	exec    *mlmodel.Exec
	caches  int // the first output that is a cache of keys or values, of those up to the last; 0 = none is
	specs   []*distributed.ShardingSpec
	emitted []attn.Emission // in order
	plan    []string
}

// call runs it and leaves the thread fit for other code.
func (c *compiled) call(inputs ...*value) (outputs []*value, err error) {
	defer backend.EndVectors()
	m := c.model
	backend.Exclusive(m.Backend, func() {
		c.sayInputs(inputs)
		var flat []*tensors.Tensor
		if flat, err = c.exec.Call(flatten(inputs, m.Devices())...); err == nil {
			outputs = collect(flat, c.specs, m.Devices())
		}
	})
	return outputs, err
}

// compile makes the executable for inputs without running it.
func (c *compiled) compile(inputs ...*value) (err error) {
	var shapes []shapes.Shape
	for range c.model.Devices() {
		for _, v := range inputs {
			shapes = append(shapes, v.on[0].Shape())
		}
	}
	if c.model.mesh == nil {
		_, err = c.exec.Compile(shapes...)
		return err
	}
	backend.Exclusive(c.model.Backend, func() {
		c.sayInputs(inputs)
		_, err = c.exec.Compile(shapes...)
	})
	return err
}

// sayInputs tells the executable how its inputs lie on several devices.
func (c *compiled) sayInputs(inputs []*value) {
	if c.model.mesh != nil {
		c.exec.WithInputShardingSpecs(c.model.specsOf(inputs)...)
	}
}

// exec returns the executable of a key, making it the first time. XLA compiles once for each shape of the inputs.
func (m *Model) exec(key string, build func(c *compiled, inputs []*Node) []*Node) (*compiled, error) {
	if err := m.wholeGraphs("a graph of all layers"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.execs[key]; c != nil {
		return c, nil
	}
	c := &compiled{model: m}
	e, err := mlmodel.NewExec(m.Backend, m.store, func(_ *mlmodel.Scope, inputs []*Node) []*Node {
		m.compilations.Add(1)
		outputs := build(c, inputs)
		if m.mesh != nil {
			c.specs = nil
			for i, o := range outputs {
				spec := m.whole()
				if c.caches > 0 && i >= c.caches {
					spec = m.byHeads(o.Shape())
				}
				c.specs = append(c.specs, spec)
			}
			c.exec.WithOutputShardingSpecs(c.specs...)
		}
		return outputs
	})
	if err != nil {
		return nil, err
	}
	e.SetMaxCache(-1)
	if m.mesh != nil {
		e.AutoSharding(m.mesh)
	}
	c.exec = e
	m.execs[key] = c
	return c, nil
}

// Compilations counts the graphs built so far. XLA compiles each, which takes seconds; on the Go backend one costs little.
func (m *Model) Compilations() int { return int(m.compilations.Load()) }

// dropCompiled forgets the compiled passes, after a change of what they compute with.
func (m *Model) dropCompiled() {
	for key, c := range m.execs {
		c.exec.Finalize()
		delete(m.execs, key)
	}
	for key, s := range m.stages {
		s.graph.Finalize()
		delete(m.stages, key)
	}
	m.blockKinds = nil
}

// bucket is the multiple that padded lengths are rounded up to.
func (m *Model) bucket(asked int) int {
	switch {
	case asked > 0:
		return asked
	case backend.IsXLA(m.Backend):
		return 64
	}
	return 1
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// WeightBytes is what the weights of a configuration take in a type; 0 for a configuration that describes no model.
func (c *Config) WeightBytes(dtype dtypes.DType) int64 {
	return int64(c.NumParameters()) * int64(dtype.Size())
}

// checkSize refuses a model whose weights would not fit, before anything is allocated.
func (m *Model) checkSize(limit int64) error {
	parameters := int64(0)
	for _, w := range m.weights {
		parameters = min(parameters+int64(w.size()), 1<<55) // more than any memory; a hostile configuration would overflow
	}
	need, source := m.BytesPerDevice(), "Options.MaxBytes"
	if limit == 0 {
		if backend.IsXLA(m.Backend) {
			return nil
		}
		if limit = availableMemory(); limit == 0 {
			limit = math.MaxInt64
		}
		source = "the system's available memory"
	}
	if need <= limit {
		if !backend.IsXLA(m.Backend) {
			collectOften(need)
		}
		return nil
	}
	hint := ""
	if half := parameters * 2; m.DType != dtypes.BFloat16 && half <= limit {
		hint = fmt.Sprintf(", or this one in bfloat16 (%s) on an accelerator", gibibytes(half))
	}
	return fmt.Errorf("a %s model of %d million parameters needs %s of weights in %s, and %s is %s: a model of at most %d million parameters would fit%s",
		m.Config.ModelType, parameters/1e6, gibibytes(need), m.DType, source, gibibytes(limit), limit/int64(m.DType.Size())/1e6, hint)
}

// collectOften makes the garbage collector run when garbage is a quarter of what lives. By default it waits until there is as much, and on the Go backend weights
// live on the heap: that would be their memory twice. They hold no pointers, so that looking through them costs nothing. Small models keep the default,
// and so does everyone who sets GOGC.
func collectOften(weights int64) {
	if weights >= 64<<20 && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
}

func gibibytes(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }

// availableMemory is what the system can give without swapping, and no more than the control group allows; 0 = unknown.
func availableMemory() int64 {
	available := int64(0)
	data, _ := os.ReadFile("/proc/meminfo") // absent outside Linux: unknown
	for line := range strings.Lines(string(data)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			available = kib << 10
		}
	}
	if limit := readNumber("/sys/fs/cgroup/memory.max"); limit > 0 {
		available = min(available, limit)
	}
	return available
}

// readNumber reads a file that holds one number; 0 where there is none ("max").
func readNumber(path string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
