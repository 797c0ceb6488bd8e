package lab

import (
	"encoding/json"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

// Survey is a handle: where attention went on a session's texts, one survey for each arm, kept by the worker. It is lazy: the first view computes it.
type Survey struct {
	session *Session
	arms    []Arm
	all     bool
}

// Sinks surveys received attention, from which sink rates, row sums and shares of token classes follow. No arm is the untouched model.
func (s *Session) Sinks(arms ...Arm) *Survey { return &Survey{session: s, arms: arms} }

// Survey surveys every measure: entropy, distance, masks, maps, massive activations and norms too.
func (s *Session) Survey(arms ...Arm) *Survey { return &Survey{session: s, arms: arms, all: true} }

// args are a view's arguments.
type args map[string]any

func (v *Survey) view(name string, a args) *report.Part {
	return v.session.part("survey", name, v.arms, v.args(a))
}

func (v *Survey) args(a args) args {
	if a == nil {
		a = args{}
	}
	a["all"] = v.all
	return a
}

// SinkRate is the share of heads in which a key position receives more than eps of the attention, for the first arm.
func (v *Survey) SinkRate(key int, eps float64) float64 {
	return data[float64](v.session, "survey", "rate", v.arms, v.args(args{"key": key, "eps": []float64{eps}}))
}

// Arrays are the plain numbers of an arm's survey: "first" [layers, heads], "received.N" [layers, heads, keys] of the N-th text.
func (v *Survey) Arrays(arm int) report.Arrays {
	return data[report.Arrays](v.session, "survey", "arrays", v.arms, v.args(args{"arm": arm}))
}

// Rates is the sink rate of position 0 at each threshold, with its interval over texts.
func (v *Survey) Rates(eps ...float64) *report.Part { return v.view("rates", args{"eps": eps}) }

// Map is what position 0 receives by layer and head.
func (v *Survey) Map() *report.Part { return v.view("map", nil) }

// Positions is the sink rate of the first n positions.
func (v *Survey) Positions(n int) *report.Part { return v.view("positions", args{"n": n}) }

// Hidden lists keys beyond the first that receive much (ACT, arXiv 2406.15765).
func (v *Survey) Hidden() *report.Part { return v.view("hidden", nil) }

// TokenMap is what each token of a text receives in every layer.
func (v *Survey) TokenMap(text int) *report.Part { return v.view("tokenmap", args{"text": text}) }

// Classes compares token classes' share of attention with their share of tokens.
func (v *Survey) Classes() *report.Part { return v.view("classes", nil) }

// Outliers asks which classes hold the keys that stand out.
func (v *Survey) Outliers() *report.Part { return v.view("outliers", nil) }

// LayerMaps draws the attention of layers, "first", "last" or numbers, averaged over heads and texts.
func (v *Survey) LayerMaps(layers string) *report.Part {
	return v.view("layermaps", args{"layers": layers})
}

// Similarity is how alike the maps of every two layers are.
func (v *Survey) Similarity() *report.Part { return v.view("similarity", nil) }

// OverDepth draws statistics over the layers, one line for each arm: "first", "rowsum", and of Survey "entropy", "distance", "diagonal", "local", "overlap".
func (v *Survey) OverDepth(what ...string) *report.Part {
	return v.view("overdepth", args{"what": what})
}

// Layers is a table of every layer.
func (v *Survey) Layers() *report.Part { return v.view("layers", nil) }

// Massive counts massive activations (arXiv 2402.17762).
func (v *Survey) Massive() *report.Part { return v.view("massive", nil) }

// Norms compares key, value and residual norms of position 0 with the other tokens'.
func (v *Survey) Norms() *report.Part { return v.view("norms", nil) }

// RatesOverLength is the sink rate of position 0 over T and eps, lists of numbers.
func (v *Survey) RatesOverLength(lengths, eps string) *report.Part {
	return v.view("ratesoverlength", args{"lengths": integers("lengths", lengths), "eps": numbers("eps", eps)})
}

// Density is how much of what queries see layer 0's emulation mask takes.
func (v *Survey) Density(tau float64) *report.Part { return v.view("density", args{"tau": tau}) }

// Changes is what each arm changes in the attention on position 0, paired by text.
func (v *Survey) Changes() *report.Part { return v.view("armchanges", nil) }

// Parts are the rate, the map and the classes.
func (v *Survey) Parts() []*report.Part { return []*report.Part{v.Rates(0.3), v.Map(), v.Classes()} }

// Changes compares two surveys of the same texts: before and after training, with and without BOS. Every statistic is paired by text.
func Changes(before, after *Survey, eps ...float64) *report.Part {
	if len(eps) == 0 {
		eps = []float64{0.1, 0.3}
	}
	other := before.session.request("survey", "changes", before.arms, before.args(nil))
	raw := check(json.Marshal(other))
	return after.view("changes", args{"other": json.RawMessage(raw), "title": after.session.called("after"), "against": before.session.called("before"), "eps": eps})
}

// called is how a session is named beside another.
func (s *Session) called(otherwise string) string {
	if s.label != "" {
		return s.label
	}
	return otherwise
}

// Maps are the attention of one text, kept nowhere: each view asks for what it draws.
type Maps struct {
	session *Session
	text    string
	arms    []Arm
}

// Activation is what one layer computes of one text, as an arm's intervention (none: the untouched model) leaves it, by a name that is the same in every family: "attention" [heads,
// queries, keys], "mlp" or "residual" [tokens, hidden]. docs/models.md says what checkpoints and other tools call them.
func (s *Session) Activation(text, name string, layer int, arm ...Arm) report.Array {
	return data[report.Array](s, "activation", "", arm, args{"text": text, "name": name, "layer": layer})
}

// Attention is the attention of one text, under the first arm or, in Parts, under every one.
func (s *Session) Attention(text string, arms ...Arm) *Maps {
	return &Maps{session: s, text: text, arms: arms}
}

// Values is one head's map, [query][key].
func (m *Maps) Values(layer, head int) [][]float64 {
	return data[[][]float64](m.session, "attention", "values", m.arms, args{"text": m.text, "layer": layer, "head": head})
}

// Head draws one head's map.
func (m *Maps) Head(layer, head int) *report.Part {
	return m.session.part("attention", "head", m.arms, args{"text": m.text, "layer": layer, "head": head})
}

// Mean draws a layer's map, averaged over heads.
func (m *Maps) Mean(layer int) *report.Part {
	return m.session.part("attention", "mean", m.arms, args{"text": m.text, "layer": layer, "head": -1})
}

// Top lists the n heads that give one key most.
func (m *Maps) Top(n int) *report.Part {
	return m.session.part("attention", "top", m.arms, args{"text": m.text, "n": n})
}

// Mask draws where a head's probabilities exceed tau off the diagonal: the emulation layer's mask.
func (m *Maps) Mask(layer, head int, tau float64) *report.Part {
	return m.session.part("attention", "mask", m.arms, args{"text": m.text, "layer": layer, "head": head, "tau": tau})
}

// Parts is the view to look around in: every layer and head, token by token, each arm beside the others.
func (m *Maps) Parts() []*report.Part {
	return []*report.Part{m.session.part("attention", "all", m.arms, args{"text": m.text})}
}

// cutTag is the name in a JSON tag.
func cutTag(tag string) (name, rest string, ok bool) { return strings.Cut(tag, ",") }
