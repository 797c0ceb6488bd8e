package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/gotype"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// readWeights checks every tensor of the architecture against the file and converts it to the model's type, one at a time.
// A missing tensor or one of another shape is an error that names it; tensors the architecture does not know are an error too,
// because they mean that the configuration describes another model. The hash is over names, types, shapes and bytes as they are in the file.
func (m *Model) readWeights(src source) (map[string]*value, string, error) {
	stored, err := m.storedNames(src)
	if err != nil {
		return nil, "", err
	}
	want := slices.Clone(m.weights)
	sort.Slice(want, func(i, j int) bool { return want[i].name < want[j].name })
	file := m.hashFile(src)
	known := knownHash(file)
	hash := sha256.New()
	values := make(map[string]*value, len(want))
	for _, w := range want {
		if err := checkShapes(src, w, stored); err != nil {
			return nil, "", err
		}
		var parts []safetensors.Tensor
		for _, p := range w.stored() {
			t, err := src.Tensor(stored[p.name])
			if err != nil {
				return nil, "", err
			}
			if err := checkFinite(t); err != nil {
				return nil, "", err
			}
			if known == "" {
				fmt.Fprintf(hash, "%s %s %v\n", p.name, t.DType, t.Shape)
				backend.EndVectors()
				hash.Write(t.Data)
			}
			parts = append(parts, t)
		}
		if values[w.name], err = m.place(w, parts); err != nil {
			return nil, "", err
		}
		for _, p := range w.stored() {
			src.Forget(stored[p.name])
		}
	}
	if known == "" {
		known = hex.EncodeToString(hash.Sum(nil))
		keepHash(file, known)
	}
	return values, known, nil
}

// checkShapes compares a weight's tensors with the file before any is read.
func checkShapes(src source, w weight, stored map[string]string) error {
	for _, p := range w.stored() {
		shape, err := src.Shape(stored[p.name])
		if err != nil {
			return err
		}
		if !slices.Equal(shape, p.shape) {
			return fmt.Errorf("tensor %q has shape %v, expected %v from config.json", stored[p.name], shape, p.shape)
		}
	}
	return nil
}

// checkFinite refuses weights that are no numbers: everything computed with them would be none either.
func checkFinite(t safetensors.Tensor) error {
	nans, infinities, first := t.NonFinite()
	if nans+infinities == 0 {
		return nil
	}
	return fmt.Errorf("tensor %q: found %d NaN and %d infinite of %d numbers, the first at element %d, expected finite ones; the file is damaged or its training diverged",
		t.Name, nans, infinities, t.Len(), first)
}

// storedNames maps each weight's name to the file's. They differ by the prefix of all but the head, which files saved from the bare decoder lack.
func (m *Model) storedNames(src source) (map[string]string, error) {
	stored := make(map[string]string, len(m.weights))
	for _, w := range m.weights {
		for _, p := range w.stored() {
			stored[p.name] = p.name
		}
	}
	prefix := m.arch.prefix
	for _, name := range src.Names() {
		switch {
		case stored[name] != "":
		case stored[prefix+name] != "":
			stored[prefix+name] = name
		case quantiserOf(name) != "":
			return nil, fmt.Errorf("tensor %q is of weights that %s quantised, of which config.json says nothing (quantization_config): %s", name, quantiserOf(name), unreadQuantisation)
		case !m.ignorable(name):
			return nil, fmt.Errorf("tensor %q is not part of a %s model with this configuration: is config.json the one that belongs to these weights?", name, m.Config.ModelType)
		}
	}
	return stored, nil
}

// ignorable reports tensors that checkpoints carry and no forward pass reads: tables and masks saved by old versions of transformers, and
// an output head saved beside the embedding it is tied to.
func (m *Model) ignorable(name string) bool {
	for _, suffix := range m.arch.ignored {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return m.Config.TieEmbeddings && name == m.arch.head
}

// place puts a weight, given the checkpoint's tensors of it, where the model's devices want it.
func (m *Model) place(w weight, parts []safetensors.Tensor) (*value, error) {
	if m.mesh != nil {
		return m.cutWeight(w, parts)
	}
	var t *tensors.Tensor
	var err error
	switch {
	case m.placed != nil:
		t, err = m.convertOn(m.homeOf(w.name), shapes.Make(m.DType, w.shape...), parts)
	case w.parts != nil:
		t, err = m.convertParts(0, shapes.Make(m.DType, w.shape...), parts)
	case m.isInputMajor(w.name):
		t, err = m.convertInputMajor(parts[0])
	default:
		t, err = m.convert(parts[0])
	}
	return &value{on: []*tensors.Tensor{t}}, err
}

// convert puts a tensor into the backend's memory in the model's type, without a copy beside it: GoMLX would otherwise keep the host's copy until the
// weight is first used, and the backend's from then on.
func (m *Model) convert(t safetensors.Tensor) (*tensors.Tensor, error) {
	shape := shapes.Make(m.DType, t.Shape...)
	if t.DType == "F32" && m.DType == dtypes.Float32 || t.DType == "BF16" && m.DType == dtypes.BFloat16 {
		return tensors.FromRaw(m.Backend, 0, shape, t.Data)
	}
	return m.convertParts(0, shape, []safetensors.Tensor{t})
}

// convertParts puts tensors into one on a device, a part behind the other.
func (m *Model) convertParts(device compute.DeviceNum, shape shapes.Shape, parts []safetensors.Tensor) (*tensors.Tensor, error) {
	out, err := tensors.FromShapeForBackend(m.Backend, device, shape)
	if err != nil {
		return nil, err
	}
	if m.DType == dtypes.BFloat16 {
		err = fill(out, parts, func(dst []bfloat16.BFloat16, t safetensors.Tensor, from int) error {
			values := make([]float32, len(dst))
			if err := t.DecodeFloat32s(values, from); err != nil {
				return err
			}
			for i, v := range values {
				dst[i] = bfloat16.FromFloat32(v)
			}
			return nil
		})
	} else {
		err = fill(out, parts, func(dst []float32, t safetensors.Tensor, from int) error { return t.DecodeFloat32s(dst, from) })
	}
	return out, err
}

// piece is the number of elements that are converted at a time.
const piece = 1 << 18

// fill converts tensors one behind the other, pieces of them on all processors.
func fill[T gotype.Supported](out *tensors.Tensor, parts []safetensors.Tensor, convert func(dst []T, t safetensors.Tensor, from int) error) error {
	var failed error
	err := tensors.MutableFlatData(out, func(flat []T) {
		var all errgroup.Group
		all.SetLimit(runtime.GOMAXPROCS(0))
		for _, t := range parts {
			n := t.Len()
			for from := 0; from < n; from += piece {
				dst := flat[from:min(from+piece, n)]
				all.Go(func() error { return convert(dst, t, from) })
			}
			flat = flat[n:]
		}
		failed = all.Wait()
	})
	return errors.Join(err, failed)
}

// randomWeights draws new weights, the same for a seed on every machine: each tensor has its own stream.
func (m *Model) randomWeights(seed uint64) (map[string]*value, error) {
	values := map[string]*value{}
	for i, w := range m.weights {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		v := make([]float32, w.size())
		std := m.Config.InitializerRange
		switch w.init {
		case initResidual:
			std /= math.Sqrt(2 * float64(m.Config.Layers))
			fallthrough
		case initNormal:
			for k := range v {
				v[k] = float32(rng.NormFloat64() * std)
			}
		case initOnes:
			for k := range v {
				v[k] = 1
			}
		}
		t := toTensor(v, w.shape, m.DType)
		if m.mesh == nil && m.placed == nil {
			values[w.name] = &value{on: []*tensors.Tensor{t}}
			continue
		}
		err := raw(w.name, t, func(t safetensors.Tensor) (err error) {
			values[w.name], err = m.place(w, []safetensors.Tensor{t})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

// toTensor makes a tensor of dtype from float32 values; BFloat16 rounds to nearest even.
func toTensor(v []float32, shape []int, dtype dtypes.DType) *tensors.Tensor {
	if dtype == dtypes.BFloat16 {
		b := make([]bfloat16.BFloat16, len(v))
		for i, x := range v {
			b[i] = bfloat16.FromFloat32(x)
		}
		return tensors.FromFlatDataAndDimensions(b, shape...)
	}
	return tensors.FromFlatDataAndDimensions(v, shape...)
}
