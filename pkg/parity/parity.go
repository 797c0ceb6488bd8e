package parity

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// Row is the comparison of one reference tensor, or one of a model's own checks.
type Row struct {
	Tensor string  // name in the reference, or of the check
	Value  float64 // largest absolute difference, or the share of equal tokens
	Share  bool    // Value is a share, 1 is perfect; otherwise a difference, 0 is perfect
	Least  bool    // Value is a change that must be there
	N      int     // numbers compared
	Limit  float64 // what counts as parity: Value <= Limit, or Value == 1 for shares, or Value >= Limit for changes
}

// Passed reports whether the row is within its limit.
func (r Row) Passed() bool {
	switch {
	case r.Share:
		return r.Value == 1
	case r.Least:
		return r.Value >= r.Limit
	}
	return r.Value <= r.Limit
}

// Limits of float32 against float32: sums in another order, growing with depth.
const (
	logitsLimit     = 2e-4
	deepLogitsLimit = 5e-4 // 7 layers and more
	attentionLimit  = 1e-5
	// wideAttentionLimit is for models with heads wider than 256: gemma4_text's of 512, whose scores are not divided by sqrt(512). They reach 103 in the fixture that
	// this was found on, 15 in its heads of 16, so that float32's error of the residual stream, 7e-6 of its values, is 6e-4 of a score. There transformers in float32 is
	// 5.6e-5 away from itself in float64, this package's models 8.7e-5, and both from each other 9.8e-5.
	wideAttentionLimit = 2e-4
)

// Interventions are the names <m> of reference tensors.
func Interventions() map[string]emulate.Spec {
	return map[string]emulate.Spec{
		"released":      emulate.Released(),
		"literal":       emulate.Literal(),
		"first_release": emulate.FirstRelease(),
		"renorm":        {Alpha: 1, Tau: 0.01, Renormalise: emulate.RenormaliseRow},
		"tau05":         {Alpha: 0.5, Tau: 0.05},
	}
}

// inputsName is the tensor that every reference must have.
const inputsName = "input_ids"

// Compare runs the model on the reference's inputs and compares every other tensor, in the order of their names. progress, which may be
// nil, is told each row as it is made. A tensor whose name means nothing here, or whose shape is not the model's, is an error.
func Compare(m *model.Model, ref *safetensors.File, progress func(Row)) ([]Row, error) {
	c := &comparison{model: m, ref: ref, logitsLimit: logitsLimit, attentionLimit: attentionLimit}
	if m.WidestHead() > 256 {
		c.attentionLimit = wideAttentionLimit
	}
	if m.Config.Layers >= 7 {
		c.logitsLimit = deepLogitsLimit
	}
	if err := c.readInputs(); err != nil {
		return nil, fmt.Errorf("%s: %w", ref.Path(), err)
	}
	names := ref.Names()
	sort.Slice(names, func(i, j int) bool { return naturalLess(names[i], names[j]) })
	var rows []Row
	for _, name := range names {
		if name == inputsName {
			continue
		}
		r, err := c.compare(name)
		if err != nil {
			return nil, fmt.Errorf("%s: tensor %q: %w", ref.Path(), name, err)
		}
		rows = append(rows, r)
		if progress != nil {
			progress(r)
		}
	}
	return rows, nil
}

type comparison struct {
	model                       *model.Model
	ref                         *safetensors.File
	prompts                     [][]int
	logitsLimit, attentionLimit float64

	maps   []*tensors.Tensor // computed once for all attentions.<l>
	survey *sink.Survey      // computed once for sink.alpha and sink.rate
}

func (c *comparison) readInputs() error {
	t, err := c.ref.Tensor(inputsName)
	if err != nil {
		return err
	}
	ids, err := t.Int32s()
	if err != nil {
		return err
	}
	if len(t.Shape) != 2 || t.Shape[0] < 1 || t.Shape[1] < 1 {
		return fmt.Errorf("%s has shape %v, expected [batch, tokens]", inputsName, t.Shape)
	}
	for row := range slices.Chunk(ids, t.Shape[1]) {
		var p []int
		for _, id := range row {
			p = append(p, int(id))
		}
		c.prompts = append(c.prompts, p)
	}
	return nil
}

func (c *comparison) compare(name string) (Row, error) {
	kind, rest, _ := strings.Cut(name, ".")
	switch {
	case kind == "logits":
		return c.logits(name, rest)
	case kind == "greedy":
		return c.greedy(name, rest)
	case kind == "attentions":
		return c.attention(name, rest)
	case name == "sink.alpha":
		return c.alpha(name)
	case name == "sink.rate":
		return c.rate(name)
	}
	return Row{}, fmt.Errorf("unknown name, expected logits, greedy, attentions.<layer>, sink.alpha, sink.rate, or logits and greedy with one of the interventions %s", interventionNames())
}

func interventionNames() string {
	var names []string
	for n := range Interventions() {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

func experiment(name string) (model.Experiment, error) {
	if name == "" {
		return nil, nil
	}
	spec, ok := Interventions()[name]
	if !ok {
		return nil, fmt.Errorf("unknown intervention %q, expected one of %s", name, interventionNames())
	}
	return apply.New(spec)
}

func (c *comparison) logits(name, intervention string) (Row, error) {
	exp, err := experiment(intervention)
	if err != nil {
		return Row{}, err
	}
	r, err := c.model.Forward(model.Batch{Tokens: c.prompts, Bucket: 1}, model.Outputs{Logits: true}, exp)
	if err != nil {
		return Row{}, err
	}
	return c.difference(name, r.Logits.Shape().Dimensions, tensors.MustCopyFlatData[float32](r.Logits), c.logitsLimit)
}

func (c *comparison) attention(name, layer string) (Row, error) {
	l, err := strconv.Atoi(layer)
	if err != nil || l < 0 || l >= c.model.Config.Layers {
		return Row{}, fmt.Errorf("layer %q is not one of the model's %d", layer, c.model.Config.Layers)
	}
	if c.maps == nil {
		if c.maps, err = sink.AttentionMaps(c.model, c.prompts, nil); err != nil {
			return Row{}, err
		}
	}
	return c.difference(name, c.maps[l].Shape().Dimensions, tensors.MustCopyFlatData[float32](c.maps[l]), c.attentionLimit)
}

func (c *comparison) surveyed() (*sink.Survey, error) {
	if c.survey == nil {
		s, err := sink.Run(c.model, c.prompts, sink.Options{T: len(c.prompts[0])})
		if err != nil {
			return nil, err
		}
		c.survey = s
	}
	return c.survey, nil
}

// received is what each key receives, [layers, prompts, heads, keys], as references have it: over all T-k queries behind the key, also in layers whose window shows it to
// fewer, which a survey counts.
func (c *comparison) received() ([]float32, *sink.Survey, error) {
	s, err := c.surveyed()
	if err != nil {
		return nil, nil, err
	}
	var got []float32
	for l, window := range c.model.Windows() {
		for b, p := range c.prompts {
			for h := range s.Heads {
				for k, alpha := range s.Received(b, l, h) {
					if behind := len(p) - k; window > 0 && window < behind {
						alpha *= float32(window) / float32(behind)
					}
					got = append(got, alpha)
				}
			}
		}
	}
	return got, s, nil
}

func (c *comparison) alpha(name string) (Row, error) {
	got, s, err := c.received()
	if err != nil {
		return Row{}, err
	}
	return c.difference(name, []int{s.Layers, len(c.prompts), s.Heads, len(c.prompts[0])}, got, c.attentionLimit)
}

func (c *comparison) rate(name string) (Row, error) {
	alphas, _, err := c.received()
	if err != nil {
		return Row{}, err
	}
	got := make([]float32, len(c.prompts[0]))
	for k := range got {
		above := 0
		for at := k; at < len(alphas); at += len(got) {
			if alphas[at] > sink.DefaultEps {
				above++
			}
		}
		got[k] = float32(above) / float32(len(alphas)/len(got))
	}
	return c.difference(name, []int{len(got)}, got, 1e-6)
}

func (c *comparison) greedy(name, intervention string) (Row, error) {
	exp, err := experiment(intervention)
	if err != nil {
		return Row{}, err
	}
	t, err := c.ref.Tensor(name)
	if err != nil {
		return Row{}, err
	}
	want, err := t.Int32s()
	if err != nil {
		return Row{}, err
	}
	p := c.prompts[0]
	if len(want) <= len(p) {
		return Row{}, fmt.Errorf("%d tokens, expected the prompt's %d and a continuation", len(want), len(p))
	}
	for i, id := range p {
		if int(want[i]) != id {
			return Row{}, fmt.Errorf("token %d is %d, expected %d: it must start with the first row of %s", i, want[i], id, inputsName)
		}
	}
	want = want[len(p):]
	g, err := c.model.Generate([][]int{p}, model.GenerateOptions{MaxTokens: len(want), IgnoreEOS: true}, exp)
	if err != nil {
		return Row{}, err
	}
	equal := 0
	for i, id := range g.Tokens[0] {
		if int(want[i]) == id {
			equal++
		}
	}
	return Row{Tensor: name, Value: float64(equal) / float64(len(want)), Share: true, N: len(want), Limit: 1}, nil
}

// difference compares got, of the given shape, with the reference tensor of a name.
func (c *comparison) difference(name string, shape []int, got []float32, limit float64) (Row, error) {
	t, err := c.ref.Tensor(name)
	if err != nil {
		return Row{}, err
	}
	if !slices.Equal(t.Shape, shape) {
		return Row{}, fmt.Errorf("shape %v, the model computes %v", t.Shape, shape)
	}
	want, err := t.Float32s()
	if err != nil {
		return Row{}, err
	}
	r := Row{Tensor: name, N: len(got), Limit: limit}
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			return Row{}, fmt.Errorf("entry %d is %v here and %v in the reference", i, got[i], want[i])
		}
		r.Value = math.Max(r.Value, d)
	}
	return r, nil
}

// naturalLess orders "attentions.2" before "attentions.10".
func naturalLess(a, b string) bool {
	pa, na := splitNumber(a)
	pb, nb := splitNumber(b)
	if pa == pb && na != nb {
		return na < nb
	}
	return a < b
}

func splitNumber(s string) (string, int) {
	i := strings.LastIndexByte(s, '.')
	if n, err := strconv.Atoi(s[i+1:]); err == nil && i >= 0 {
		return s[:i], n
	}
	return s, -1
}
