package kernel

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
	"text/template"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/customcall"
	"github.com/attune-lab/attune/pkg/triton"
)

// Options of an attention. What is zero is left out, but Scale is required.
type Options struct {
	Scale   float64 // factor of the scores, 1/sqrt(head_dim) in most models
	Softcap float64 // scores are bounded by cap*tanh(scores/cap) (Gemma 2)
	Window  int     // keys that a query sees at most, its own included (Mistral, Gemma)
	Sinks   *Node   // float32 [heads]: learned logits that take part in the softmax and have no key (gpt-oss)
	Gain    *Gain
}

// Gain multiplies the probabilities that a mask covers.
type Gain struct {
	Values    *Node // float32 [heads], at least 0; with Normalise above 0, since a row that is all covered would vanish
	Mask      Mask
	Normalise bool // rows sum to 1 over the keys that are there, whatever a learned sink took
}

// Attention is causal attention in one pass that forms no probabilities; see the package's formula. Scores, softmax and gain are float32.
//
//	query              [batch, tokens, heads, dim], bfloat16 or float16
//	key, value         [batch, tokens, kv_heads, dim], of the same type
//	out                as query
//	lse                float32 [batch, heads, tokens]: the log-sum-exp of each row's scores, a learned sink's included; nil with a Gain
//
// Of a graph over several devices each computes its own heads. It panics, as graph-building code does, where Available returns false, and has no gradient.
func Attention(query, key, value *Node, o Options) (out, lse *Node) {
	if !byHeads(query, key) {
		return attend(query, key, value, o)
	}
	var p pieces
	q, k, v := p.cut(query, 2), p.cut(key, 2), p.cut(value, 2)
	sinks, axes := p.cut(o.Sinks, 0), []int{2, 1}
	var values, bits, maskQuery, maskKey, limit int
	if g := o.Gain; g != nil {
		axes = axes[:1]
		values, bits, maskQuery, maskKey, limit = p.cut(g.Values, 0), p.cut(g.Mask.Bits, 1), p.cut(g.Mask.Query, 2), p.cut(g.Mask.Key, 2), p.cut(g.Mask.Limit, 1)
	}
	results := customcall.PerDevice(p.operands, axes, func(of []*Node) []*Node {
		o := o
		o.Sinks = at(of, sinks)
		if o.Gain != nil {
			g := *o.Gain
			g.Values, g.Mask.Bits, g.Mask.Query, g.Mask.Key, g.Mask.Limit = at(of, values), at(of, bits), at(of, maskQuery), at(of, maskKey), at(of, limit)
			o.Gain = &g
		}
		out, lse := attend(of[q], of[k], of[v], o)
		return []*Node{out, lse}[:len(axes)]
	})
	if o.Gain != nil {
		return results[0], nil
	}
	return results[0], results[1]
}

// attend is Attention on one device.
func attend(query, key, value *Node, o Options) (out, lse *Node) {
	if err := check(query.Shape(), key.Shape()); err != nil {
		panic(err)
	}
	d, dtype := query.Shape().Dimensions, query.DType()
	f := fill{Name: "attention", Kind: o.kind(), Type: types[dtype], Tokens: d[1], Heads: d[2], Dim: d[3], Group: d[2] / key.Shape().Dimensions[2],
		Scale: o.Scale, Softcap: o.Softcap, Window: o.Window}
	f.tile = tileOf(f.Kind, f.Dim)
	operands := []*Node{query, key, expect("values", value, dtype, key.Shape().Dimensions...)}
	if o.Sinks != nil {
		operands = append(operands, expect("sinks", o.Sinks, dtypes.Float32, d[2]))
	}
	results := []*Node{query}
	if g := o.Gain; g != nil {
		f.Name, f.OffDiagonal, f.Normalise = "gained_attention", !g.Mask.Diagonal, g.Normalise
		operands = append(operands, expect("gains", g.Values, dtypes.Float32, d[2]))
		operands = append(operands, g.Mask.operands(query.Shape(), key.Shape())...)
	} else {
		results = append(results, Zeros(query.Graph(), shapes.Make(dtypes.Float32, d[0], d[2], d[1])))
	}
	kernel := triton.Kernel{Name: f.Name, IR: f.text(), Grid: [3]int{(f.Tokens + f.Rows - 1) / f.Rows, f.Heads, d[0]}, Warps: f.warps, Stages: f.stages}
	results = kernel.Call(results, operands...)
	if o.Gain != nil {
		return results[0], nil
	}
	return results[0], results[1]
}

// check says what keeps the kernel from computing an attention.
func check(query, key shapes.Shape) error {
	d, kvHeads := query.Dimensions, key.Dimensions[2]
	switch dim := d[3]; {
	case types[query.DType] == "" || key.DType != query.DType:
		return fmt.Errorf("attention kernel: queries of %s and keys of %s: it takes bfloat16 or float16", query.DType, key.DType)
	case dim < 16 || dim > 256 || dim&(dim-1) != 0:
		return fmt.Errorf("attention kernel: head dimension %d: it takes 16, 32, 64, 128 and 256", dim)
	case d[1] != key.Dimensions[1]:
		return fmt.Errorf("attention kernel: %d queries of %d keys: it takes whole sequences", d[1], key.Dimensions[1])
	case kvHeads == 0 || d[2]%kvHeads != 0:
		return fmt.Errorf("attention kernel: %d heads over %d of keys: groups must be equal", d[2], kvHeads)
	case d[1]*max(d[2]*dim, words(d[1])) > math.MaxInt32:
		return fmt.Errorf("attention kernel: %d tokens: a sequence's offsets do not fit 32 bits", d[1])
	}
	return nil
}

// expect panics unless an operand is what the kernel reads: it knows pointers only.
func expect(what string, x *Node, dtype dtypes.DType, dims ...int) *Node {
	if want := shapes.Make(dtype, dims...); !x.Shape().Equal(want) {
		exceptions.Panicf("attention kernel: %s are %s, expected %s", what, x.Shape(), want)
	}
	return x
}

// types are the kernel's names of what it computes with.
var types = map[dtypes.DType]string{dtypes.BFloat16: "bf16", dtypes.Float16: "f16"}

// Kind is what of the kernel's text an attention takes.
type Kind struct {
	ByBits, ByLimits bool // a Gain and where its mask is from
	HasSoftcap       bool
	HasWindow        bool
	HasSinks         bool
}

func (o Options) kind() Kind {
	byBits := o.Gain != nil && o.Gain.Mask.Bits != nil
	return Kind{ByBits: byBits, ByLimits: o.Gain != nil && !byBits, HasSoftcap: o.Softcap > 0, HasWindow: o.Window > 0, HasSinks: o.Sinks != nil}
}

// Gained reports whether there is a gain.
func (k Kind) Gained() bool { return k.ByBits || k.ByLimits }

// tile is how the work is cut: a program's rows, the keys that it takes at a time, warps of 32 threads, and stages of the pipeline that loads the keys to come.
type tile struct{ Rows, Keys, warps, stages int }

// tileOf is the fastest of those tried on an H200 at 4,096 tokens, of 32 to 128 rows and keys and 2 to 4 stages, and what fits above dimension 128.
func tileOf(k Kind, dim int) tile {
	switch {
	case dim > 128:
		return tile{64, 32, 4, 2}
	case dim > 64 && k.ByLimits: // twice the operands: larger tiles read each key less often
		return tile{128, 64, 8, 3}
	}
	return tile{64, 64, 4, 3}
}

//go:embed attention.mlir
var attentionIR string

var attention = template.Must(template.New("attention.mlir").Parse(attentionIR))

// fill is what attention.mlir is filled in with.
type fill struct {
	Name, Type string
	Kind
	tile
	Tokens, Heads, Group, Dim int // Group: heads that share keys
	Scale, Softcap            float64
	Window                    int
	OffDiagonal, Normalise    bool
	Diagonal                  bool // of a tile: on it
}

func (f fill) text() string {
	var b strings.Builder
	if err := attention.Execute(&b, f); err != nil {
		exceptions.Panicf("attention.mlir: %v", err)
	}
	return b.String()
}

func (f fill) Before() fill     { f.Diagonal = false; return f }
func (f fill) OnDiagonal() fill { f.Diagonal = true; return f }

func (f fill) Last() int        { return f.Tokens - 1 }
func (f fill) QueryStride() int { return f.Heads * f.Dim }
func (f fill) KeyStride() int   { return f.Heads / f.Group * f.Dim }
func (f fill) QueryBatch() int  { return f.Tokens * f.QueryStride() }
func (f fill) KeyBatch() int    { return f.Tokens * f.KeyStride() }
func (f fill) Words() int       { return f.Keys / wordBits }
func (f fill) WordsPerRow() int { return words(f.Tokens) }

// Factor is what products of queries and keys are multiplied by: to scores in units of log2 or, below a cap, to the power of two that its tanh is made of.
func (f fill) Factor() string {
	if f.HasSoftcap {
		return triton.Constant(2 * f.Scale / f.Softcap * math.Log2E)
	}
	return triton.Constant(f.Scale * math.Log2E)
}

func (f fill) Cap() string   { return triton.Constant(f.Softcap * math.Log2E) }
func (f fill) Log2E() string { return triton.Constant(math.Log2E) }
func (f fill) Ln2() string   { return triton.Constant(math.Ln2) }
