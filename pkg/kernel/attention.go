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
)

// Options of an attention.
type Options struct {
	Scale     float64 // factor of the scores, 1/sqrt(head_dim) in most models; required
	Normalise bool    // rows sum to 1 after the gain
}

// Attention is causal attention whose probabilities are multiplied by their head's gain where the mask covers them; see the package's formula. Scores, softmax and
// gain are float32.
//
//	query              [batch, tokens, heads, dim], bfloat16 or float16
//	key, value         [batch, tokens, kv_heads, dim], of the same type
//	gains              float32 [heads], at least 0; with Normalise above 0, since a row that is all covered would vanish
//	result             as query
//
// It panics, as graph-building code does, where Available says no, and has no gradient.
func Attention(query, key, value, gains *Node, mask Mask, o Options) *Node {
	if err := check(query.Shape(), key.Shape()); err != nil {
		panic(err)
	}
	d := query.Shape().Dimensions
	expect("values", value, query.DType(), key.Shape().Dimensions...)
	expect("gains", gains, dtypes.Float32, d[2])
	byLimit := mask.Bits == nil
	rows, warps := tile(byLimit, d[3])
	f := fill{Name: "gained_attention", Type: types[query.DType()], Rows: rows, Keys: tileKeys, Tokens: d[1], Heads: d[2], Dim: d[3], Group: d[2] / key.Shape().Dimensions[2],
		Log2Scale: fmt.Sprintf("%.9e", o.Scale*math.Log2E), ByLimit: byLimit, OffDiagonal: !mask.Diagonal, Normalise: o.Normalise}
	kernel := triton{name: f.Name, ir: f.text(), grid: [3]int{(f.Tokens + f.Rows - 1) / f.Rows, f.Heads, d[0]}, warps: warps, stages: stages}
	if byLimit {
		expect("the mask's queries", mask.Query, query.DType(), d...)
		expect("the mask's keys", mask.Key, query.DType(), key.Shape().Dimensions...)
		expect("the mask's limits", mask.Limit, dtypes.Float32, d[0], d[2], d[1])
		return kernel.call(query, query, key, value, gains, mask.Query, mask.Key, mask.Limit)
	}
	expect("the mask's bits", mask.Bits, dtypes.Int32, d[0], d[2], d[1], words(d[1]))
	return kernel.call(query, query, key, value, gains, mask.Bits)
}

// check says what keeps the kernel from computing an attention.
func check(query, key shapes.Shape) error {
	d, kvHeads := query.Dimensions, key.Dimensions[2]
	switch dim := d[3]; {
	case types[query.DType] == "" || key.DType != query.DType:
		return fmt.Errorf("gained attention of %s and %s: it takes bfloat16 or float16", query.DType, key.DType)
	case dim < 16 || dim > 128 || dim&(dim-1) != 0:
		return fmt.Errorf("gained attention of head dimension %d: it takes 16, 32, 64 and 128", dim)
	case kvHeads == 0 || d[2]%kvHeads != 0:
		return fmt.Errorf("gained attention of %d heads over %d of keys: groups must be equal", d[2], kvHeads)
	case d[1]*max(d[2]*dim, words(d[1])) > math.MaxInt32:
		return fmt.Errorf("gained attention over %d tokens: a sequence's offsets do not fit 32 bits", d[1])
	}
	return nil
}

// expect panics unless an operand is what the kernel reads: it knows pointers only.
func expect(what string, x *Node, dtype dtypes.DType, dims ...int) {
	if want := shapes.Make(dtype, dims...); !x.Shape().Equal(want) {
		exceptions.Panicf("gained attention: %s are %s, expected %s", what, x.Shape(), want)
	}
}

// types are the kernel's names of what it computes with.
var types = map[dtypes.DType]string{dtypes.BFloat16: "bf16", dtypes.Float16: "f16"}

//go:embed attention.mlir
var attentionIR string

var attention = template.Must(template.New("attention.mlir").Parse(attentionIR))

// Tiles are the fastest of those tried on an H200 at 4,096 tokens: tiles of 32 to 128 rows and keys, 2 to 4 stages.
const (
	tileKeys = 64
	stages   = 3
)

// tile is the rows of a program, and its warps.
func tile(byLimit bool, dim int) (rows, warps int) {
	if byLimit && dim > 64 { // twice the operands: larger tiles read each key less often
		return 128, 8
	}
	return 64, 4
}

// fill is what attention.mlir is filled in with.
type fill struct {
	Name, Type, Log2Scale           string
	Rows, Keys                      int // of a tile
	Tokens, Heads, Group, Dim       int // Group: heads that share keys
	ByLimit, OffDiagonal, Normalise bool
	Diagonal                        bool // of a tile: on it
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

// RowsPerHead is the number of elements of what the mask is read from, in all rows of a head.
func (f fill) RowsPerHead() int {
	if f.ByLimit {
		return f.Tokens
	}
	return f.Tokens * f.WordsPerRow()
}
