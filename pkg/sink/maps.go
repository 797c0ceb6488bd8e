package sink

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// maxMapBytes is how much AttentionMaps may bring to the host: 1 GiB.
const maxMapBytes = 1 << 30

// AttentionMaps returns the whole post-softmax attention of every layer: float32 [layers][batch, heads, queries, keys], as the intervention
// (nil for none) leaves it. A request for more than 1 GiB is refused with its size: survey instead.
func AttentionMaps(m *model.Model, prompts [][]int, exp model.Experiment) ([]*tensors.Tensor, error) {
	longest := 0
	for _, p := range prompts {
		longest = max(longest, len(p))
	}
	if bytes := int64(m.Config.Layers) * int64(len(prompts)) * int64(m.Config.Heads) * int64(longest) * int64(longest) * 4; bytes > maxMapBytes {
		return nil, fmt.Errorf("attention maps of %d prompts of up to %d tokens in %d layers of %d heads are %.1f GiB, more than the %d GiB allowed: ask for fewer prompts or shorter ones, or use a survey",
			len(prompts), longest, m.Config.Layers, m.Config.Heads, float64(bytes)/(1<<30), maxMapBytes>>30)
	}
	r, err := m.Forward(model.Batch{Tokens: prompts, Bucket: 1}, model.Outputs{}, attention.Sequence(exp, mapObserver{}))
	if err != nil {
		return nil, err
	}
	return r.Emitted[mapName], nil
}

const mapName = "sink.map"

// mapObserver emits every layer's probabilities.
type mapObserver struct{}

func (mapObserver) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "observe attention maps", Build: func(site *attention.Site) { site.Emit(mapName, Identity(site.Probs())) }}
}

// AttentionMap returns one prompt's post-softmax attention in chosen heads of one layer (nil = all), float32 [heads, queries, keys], as the intervention
// (nil for none) leaves it. Only that layer forms its probabilities. A request for more than 1 GiB is refused with its size.
func AttentionMap(m *model.Model, prompt []int, layer int, heads []int, exp model.Experiment) (*tensors.Tensor, error) {
	if layer < 0 || layer >= m.Config.Layers {
		return nil, fmt.Errorf("attention map of layer %d: the model has %d", layer, m.Config.Layers)
	}
	if heads == nil {
		for h := range m.Config.Heads {
			heads = append(heads, h)
		}
	}
	for _, h := range heads {
		if h < 0 || h >= m.Config.Heads {
			return nil, fmt.Errorf("attention map of head %d: the model has %d", h, m.Config.Heads)
		}
	}
	if bytes := int64(len(heads)) * int64(len(prompt)) * int64(len(prompt)) * 4; bytes > maxMapBytes {
		return nil, fmt.Errorf("the attention map of %d heads over %d tokens is %.1f GiB, more than the %d GiB allowed: ask for fewer heads or use a survey, whose Map is binned",
			len(heads), len(prompt), float64(bytes)/(1<<30), maxMapBytes>>30)
	}
	r, err := m.Forward(model.Batch{Tokens: [][]int{prompt}, Bucket: 1}, model.Outputs{}, attention.Sequence(exp, oneMap{layer, heads}))
	if err != nil {
		return nil, err
	}
	return r.Emitted[mapName][layer], nil
}

// oneMap emits chosen heads of one layer.
type oneMap struct {
	layer int
	heads []int
}

func (o oneMap) Visit(l attention.Layer) *attention.Visit {
	if l.Index != o.layer {
		return nil
	}
	return &attention.Visit{Key: fmt.Sprintf("observe map of heads %v", o.heads), Build: func(site *attention.Site) {
		var parts []*Node
		for _, h := range o.heads {
			parts = append(parts, Squeeze(SliceAxis(SliceAxis(site.Probs(), 1, AxisRange(h, h+1)), 0, AxisRange(0, 1)), 0, 1))
		}
		site.Emit(mapName, Stack(parts, 0))
	}}
}
