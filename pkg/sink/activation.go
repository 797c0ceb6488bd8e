package sink

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// Names of what a layer computes, alike in every family; docs/models.md says what checkpoints and other tools call them.
const (
	ActAttention = "attention" // probabilities, post-softmax: [heads, queries, keys]
	ActMLP       = "mlp"       // the MLP's output, behind a norm of its own where it has one: [tokens, hidden]
	ActResidual  = "residual"  // the residual stream behind the layer: [tokens, hidden]
)

// Activations lists the names.
func Activations() []string { return []string{ActAttention, ActMLP, ActResidual} }

// Activation is what one layer computes of one prompt under a name, float32, as an intervention (nil for none) leaves it. Only that layer is observed.
func Activation(m *model.Model, prompt []int, name string, layer int, exp model.Experiment) (*tensors.Tensor, error) {
	if layer < 0 || layer >= m.Config.Layers {
		return nil, fmt.Errorf("%s of layer %d: the model has %d", name, layer, m.Config.Layers)
	}
	switch name {
	case ActAttention:
		return AttentionMap(m, prompt, layer, nil, exp)
	case ActMLP, ActResidual:
	default:
		return nil, fmt.Errorf("a layer computes no %q: expected one of %s", name, strings.Join(Activations(), ", "))
	}
	r, err := m.Forward(model.Batch{Tokens: [][]int{prompt}, Bucket: 1}, model.Outputs{}, attention.Sequence(exp, oneActivation{name, layer}))
	if err != nil {
		return nil, err
	}
	return r.Emitted[activationName][layer], nil
}

const activationName = "sink.activation"

// oneActivation emits what one layer computes behind its attention.
type oneActivation struct {
	name  string
	layer int
}

func (a oneActivation) Visit(l attention.Layer) *attention.Visit {
	if l.Index != a.layer {
		return nil
	}
	emit := func(s *attention.Site, x *Node) {
		s.Emit(activationName, Reshape(ConvertDType(x, dtypes.Float32), x.Shape().Dimensions[1:]...))
	}
	v := &attention.Visit{Key: "activation " + a.name}
	if a.name == ActMLP {
		v.MLP = emit
	} else {
		v.Residual = emit
	}
	return v
}
