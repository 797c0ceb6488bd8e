package sink

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

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
	r, err := m.Forward(model.Batch{Tokens: prompts, Bucket: 1}, model.Want{}, model.Sequence(exp, mapObserver{}))
	if err != nil {
		return nil, err
	}
	maps := make([]*tensors.Tensor, m.Config.Layers)
	for l := range maps {
		maps[l] = r.Emitted[mapName(l)]
	}
	return maps, nil
}

func mapName(layer int) string { return fmt.Sprintf("sink.map.%d", layer) }

// mapObserver emits every layer's probabilities.
type mapObserver struct{}

func (mapObserver) Key() string { return "observe attention maps" }

func (mapObserver) Attach(run *model.Run) func(*model.Site) {
	return func(site *model.Site) { run.Emit(mapName(site.Layer), Identity(site.Probs())) }
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
	r, err := m.Forward(model.Batch{Tokens: [][]int{prompt}, Bucket: 1}, model.Want{}, model.Sequence(exp, oneMap{layer, heads}))
	if err != nil {
		return nil, err
	}
	return r.Emitted[mapName(layer)], nil
}

// oneMap emits chosen heads of one layer.
type oneMap struct {
	layer int
	heads []int
}

func (o oneMap) Key() string {
	return fmt.Sprintf("observe map of layer %d, heads %v", o.layer, o.heads)
}

func (o oneMap) Attach(run *model.Run) func(*model.Site) {
	return func(site *model.Site) {
		if site.Layer != o.layer {
			return
		}
		var parts []*Node
		for _, h := range o.heads {
			parts = append(parts, Squeeze(SliceAxis(SliceAxis(site.Probs(), 1, AxisRange(h, h+1)), 0, AxisRange(0, 1)), 0, 1))
		}
		run.Emit(mapName(o.layer), Stack(parts, 0))
	}
}
