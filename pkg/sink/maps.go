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
