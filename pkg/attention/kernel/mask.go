package kernel

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Mask says which entries of an attention have the gain: those whose bit is set or, where Bits is nil, those whose product of Query and Key is above Limit.
type Mask struct {
	Bits *Node // see Pack

	Query    *Node // of the attention that the mask is found in: the dimensions and dtype of the attention's own
	Key      *Node
	Limit    *Node // float32 [batch, heads, tokens], of each row's products before any scale
	Diagonal bool  // a token can pass its own limit; otherwise the diagonal is never covered
}

// operands are what the kernel reads the mask from, for queries and keys of these shapes.
func (m Mask) operands(query, key shapes.Shape) []*Node {
	d := query.Dimensions
	if m.Bits != nil {
		return []*Node{expect("the mask's bits", m.Bits, dtypes.Int32, d[0], d[2], d[1], words(d[1]))}
	}
	return []*Node{expect("the mask's queries", m.Query, query.DType, d...), expect("the mask's keys", m.Key, query.DType, key.Dimensions...),
		expect("the mask's limits", m.Limit, dtypes.Float32, d[0], d[2], d[1])}
}

const (
	wordBits = 32
	wordStep = 2 // words that a row's end is rounded up to: a program walks keys to the end of its own rows, and it has at most so many bits of them
)

// words is the number of words in a row of bits: whole steps, so that none is read behind the row's end.
func words(tokens int) int {
	return (tokens + wordBits*wordStep - 1) / (wordBits * wordStep) * wordStep
}

// Pack puts a mask into bits: bool [batch, heads, rows, keys] gives int32 [batch, heads, rows, words], whose bit j%32 of word j/32 is key j's. Keys may be fewer
// than the tokens that the attention has: those left out are not covered, as where a block of rows sees no more.
func Pack(mask *Node, tokens int) *Node {
	d := mask.Shape().Dimensions
	if d[3] > tokens {
		exceptions.Panicf("a mask of %d keys for an attention over %d tokens", d[3], tokens)
	}
	bits := make([]int32, wordBits)
	for i := range bits {
		bits[i] = 1 << i
	}
	n := words(d[3])
	set := ConvertDType(mask, dtypes.Int32)
	if more := n*wordBits - d[3]; more > 0 {
		set = GrowRight(set, 3, more, 0)
	}
	set = Reshape(set, d[0], d[1], d[2], n, wordBits)
	packed := ReduceSum(Mul(set, Reshape(Const(mask.Graph(), bits), 1, 1, 1, 1, wordBits)), -1)
	if more := words(tokens) - n; more > 0 {
		packed = GrowRight(packed, 3, more, 0)
	}
	return packed
}

// Unpack is the inverse of Pack for the first keys: int32 [batch, heads, rows, words] gives bool [batch, heads, rows, keys].
func Unpack(bits *Node, keys int) *Node {
	d := bits.Shape().Dimensions
	n := (keys + wordBits - 1) / wordBits
	each := make([]int32, wordBits)
	for i := range each {
		each[i] = 1 << i
	}
	bits = InsertAxes(SliceAxis(bits, 3, AxisRange(0, n)), -1)
	set := BitwiseAnd(bits, Reshape(Const(bits.Graph(), each), 1, 1, 1, 1, wordBits))
	set = Reshape(NotEqual(set, ZerosLike(set)), d[0], d[1], d[2], n*wordBits)
	return SliceAxis(set, 3, AxisRange(0, keys))
}
