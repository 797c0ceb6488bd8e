package model

import (
	"errors"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Observation is what layers of a pass emitted under a name, on the device: of one layer, or of several layers of a stage, one behind the other. It is valid until
// Outputs.Receive returns.
type Observation struct {
	Name   string
	Layers []int        // that emitted it, in the order of the values
	Shape  shapes.Shape // of one layer's

	value   *tensors.Tensor
	at      int // where in the tensor the values are: others may be before and behind them
	backend compute.Backend
}

func (o Observation) size() int { return len(o.Layers) * o.Shape.Size() }

// CopyTo copies the values, float32, to a slice of as many: from the device's memory straight to it.
func (o Observation) CopyTo(flat []float32) error {
	if o.backend.HasSharedBuffers() || o.size() < o.value.Size() {
		return o.Read(func(values []float32) { copy(flat, values) })
	}
	device, err := o.value.Device()
	if err != nil {
		return err
	}
	b, err := o.value.Buffer(o.backend, device)
	if err != nil {
		return err
	}
	return b.ToFlatData(flat)
}

// Read gives f the values, float32, for the time of the call.
func (o Observation) Read(f func(values []float32)) error {
	return tensors.ConstFlatData(o.value, func(all []float32) { f(all[o.at:][:o.size()]) })
}

// copies takes observations to the host, and cuts those of several layers, while the pass goes on.
type copies struct {
	backend compute.Backend
	receive func(Observation) error // what observations are handed to, nil = they are kept
	all     sync.WaitGroup
	under   []*observedStack
	handed  []*value
}

// observedStack is what several layers of a stage, from first on, have emitted, or one under several names.
type observedStack struct {
	emits
	first int
	parts []*tensors.Tensor
	err   error
}

func (c *copies) start(t *tensors.Tensor, e emits, first int) {
	s := &observedStack{emits: e, first: first}
	c.under = append(c.under, s)
	c.all.Go(func() { s.parts, s.err = split(t, len(e.names)*len(e.layers)) })
}

// startWhole begins the copy of an observation that is read as it is.
func (c *copies) startWhole(t *tensors.Tensor) {
	s := &observedStack{}
	c.under = append(c.under, s)
	c.all.Go(func() { s.err = t.ConstBytes(func([]byte) {}) })
}

// hand gives an observation to whom receives it.
func (c *copies) hand(v *value, e emits, first int) {
	s, t := &observedStack{}, v.on[0]
	c.under, c.handed = append(c.under, s), append(c.handed, v)
	o := Observation{Shape: t.Shape(), value: t, backend: c.backend}
	for _, l := range e.layers {
		o.Layers = append(o.Layers, first+l)
	}
	if e.stacked() {
		o.Shape = shapes.Make(t.DType(), t.Shape().Dimensions[1:]...)
	}
	c.all.Go(func() {
		for i, name := range e.names {
			o.Name, o.at = name, i*o.size()
			s.err = errors.Join(s.err, c.receive(o))
		}
	})
}

// end waits for all copies, and frees what was handed over.
func (c *copies) end() {
	c.all.Wait()
	for _, v := range c.handed {
		v.free()
	}
}

// give waits for all copies and puts them among the observations.
func (c *copies) give(to Emitted, layers int) error {
	c.all.Wait()
	for _, s := range c.under {
		if s.err != nil {
			return s.err
		}
		for i, name := range s.names {
			for k, l := range s.layers {
				to.add(name, s.first+l, layers, s.parts[i*len(s.layers)+k])
			}
		}
	}
	return nil
}

// split copies a stack of n values to the host and cuts it.
func split(t *tensors.Tensor, n int) ([]*tensors.Tensor, error) {
	shape := shapes.Make(t.DType(), t.Shape().Dimensions[1:]...)
	parts := make([]*tensors.Tensor, n)
	var failed error
	err := t.ConstBytes(func(all []byte) {
		size := len(all) / n
		for i := range parts {
			parts[i] = tensors.FromShape(shape)
			failed = errors.Join(failed, parts[i].MutableBytes(func(data []byte) { copy(data, all[i*size:]) }))
		}
	})
	return parts, errors.Join(err, failed)
}
