package attention

import (
	"math/bits"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/internal/while"
)

// probabilityBits is how many bits order probabilities: a float32 of 0 to 1, read as an integer, is at most 0x3f800000.
const probabilityBits = 30

// ordered reads non-negative float32 as int32, which keeps their order.
func ordered(probs *Node) *Node { return Bitcast(probs, dtypes.Int32) }

// bitsFor is the number of bits of the integers below n.
func bitsFor(n int) int { return bits.Len(uint(n - 1)) }

// chooseLargest takes from each row the count eligible entries of largest priority; entries equal to the last one taken come with it. Priorities
// are int32 of 0 to below 2^width, and all operands broadcast to eligible, bool [batch, heads, queries, keys].
//
// It finds the priority of the last entry bit by bit, counting how many reach it. That takes width passes over the row in place of a sort, which
// the Go backend has not within a loop. In prefills on XLA the passes are a loop: written out, five layers of them took XLA half a minute to compile (one H200).
func (s *Site) chooseLargest(eligible, priority, count *Node, width int) *Node {
	g := eligible.Graph()
	priority = Where(eligible, like(priority, eligible), like(Scalar(g, dtypes.Int32, -1), eligible))
	dims := append([]int(nil), eligible.Shape().Dimensions...)
	dims[len(dims)-1] = 1
	bound := Zeros(g, shapes.Make(dtypes.Int32, dims...))
	if s.Phase == Prefill && backend.IsXLA(g.Backend()) {
		bound = boundByLoop(priority, bound, like(count, bound), width)
	} else {
		for b := width - 1; b >= 0; b-- {
			higher := AddScalar(bound, 1<<b)
			reach := sumRow(ConvertDType(GreaterOrEqual(priority, higher), dtypes.Int32))
			bound = Where(GreaterOrEqual(reach, count), higher, bound)
		}
	}
	none := Equal(count, ZerosLike(count))
	bound = Where(like(none, bound), AddScalar(ZerosLike(bound), 1<<width), bound)
	return GreaterOrEqual(priority, bound)
}

// boundByLoop is the bound of chooseLargest, from zeros of its dimensions. In a loop's body XLA's builder (go-xla v0.4.5) wants constants made again, takes nothing
// from outside but the state, and knows no sums but products with ones, which XLA turns into sums: exact up to 2^24 entries.
func boundByLoop(priority, bound, count *Node, width int) *Node {
	number := func(x *Node, v int) *Node { return ConstAsDType(x.Graph(), x.DType(), v) }
	state := []*Node{Const(bound.Graph(), int32(0)), bound, priority, ConvertDType(count, dtypes.Float32)}
	cond := func(s []*Node) *Node { return LessThan(s[0], number(s[0], width)) }
	body := func(s []*Node) []*Node {
		at, bound, priority, count := s[0], s[1], s[2], s[3]
		bit := BitwiseShiftLeft(number(at, 1), Sub(number(at, width-1), at))
		higher := Add(bound, BroadcastToDims(bit, bound.Shape().Dimensions...))
		reaches := ConvertDType(GreaterOrEqual(priority, BroadcastToDims(higher, priority.Shape().Dimensions...)), dtypes.Float32)
		last := reaches.Rank() - 1
		ones := BroadcastToDims(number(reaches, 1), reaches.Shape().Dimensions...)
		batch := []int{0, 1, 2}[:last]
		reach := InsertAxes(DotGeneral(reaches, []int{last}, batch, ones, []int{last}, batch), -1)
		return []*Node{Add(at, number(at, 1)), Where(GreaterOrEqual(reach, count), higher, bound), priority, count}
	}
	return while.Loop(state, cond, body)[1]
}

// AsMany takes from each row as many of the entries that are not excluded as another mask has there: the nearest ones, or some drawn at random.
type AsMany struct {
	Of      Mask
	Draw    *Node // float32 [2 * heads], of DrawInput; nil = the nearest
	Without Excluded
}

func (m AsMany) of(site *Site, _ *Node) *Node {
	mask := m.Of.of(site, nil)
	priority, width := site.KeyPos, bitsFor(site.Positions)
	if m.Draw != nil {
		priority, width = drawn(m.Draw, site), drawnBits
	}
	if priority.Rank() == 2 { // positions, [1 or batch, keys]
		priority = InsertAxes(priority, 1, 1)
	}
	visible := Where(like(site.Mask, mask), mask, LogicalNot(OnesLike(mask)))
	return site.chooseLargest(eligible(site, m.Without.marks(site), mask), priority, sumRow(ConvertDType(visible, dtypes.Int32)), width)
}

func (m AsMany) shared() string { return "" }
func (m AsMany) byRows() bool   { return m.Of.byRows() }

// drawnBits is the width of drawn: 15 bits of hash above 15 bits of key position.
const drawnBits = 30

// DrawInput is what AsMany draws a layer's entries by: two float32 for each head, the halves of 32 bits that a hash makes of (seed, layer, head).
func DrawInput(seed uint32, layer, heads int) []float32 {
	halves := make([]float32, 2*heads)
	for h := range heads {
		x := mixHost(mixHost(mixHost(seed)+uint32(layer)) + uint32(h))
		halves[h], halves[heads+h] = float32(x>>16), float32(x&0xffff)
	}
	return halves
}

// drawn is a pseudo-random priority of each entry, int32 [1 or batch, heads, queries, keys]: a hash of (seed, layer, head, query position, key
// position) in 32-bit integers, so that every backend, prefill and decoding agree. Its low bits are the key's position, so that up to 2^15
// keys no two of a row are equal and a row's count is exact.
func drawn(draw *Node, site *Site) *Node {
	g, heads := site.graph(), site.entries()[1]
	u := func(x *Node) *Node { return ConvertDType(MaxScalar(x, 0), dtypes.Uint32) }
	query, key := InsertAxes(u(site.QueryPos), 1, -1), InsertAxes(u(site.KeyPos), 1, 1)
	half := func(i int) *Node { return u(SliceAxis(draw, 0, AxisRange(i*heads, (i+1)*heads))) }
	head := InsertAxes(BitwiseOr(BitwiseShiftLeftScalar(half(0), 16), half(1)), 0, -1, -1)
	hash := mix(Add(mix(Add(head, query)), key))
	high := BitwiseShiftLeftScalar(BitwiseShiftRightLogicalScalar(hash, 17), 15)
	low := BitwiseAnd(key, like(Const(g, uint32(1<<15-1)), key))
	return ConvertDType(BitwiseOr(high, low), dtypes.Int32)
}

// Multipliers of murmur3's finaliser (Appleby, public domain), which spreads every input bit over the word.
const mixA, mixB = 0x85ebca6b, 0xc2b2ae35

// mix is the finaliser on a graph's uint32.
func mix(x *Node) *Node {
	g := x.Graph()
	fold := func(x *Node, by uint32) *Node { return BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, by)) }
	x = Mul(fold(x, 16), like(Const(g, uint32(mixA)), x))
	x = Mul(fold(x, 13), like(Const(g, uint32(mixB)), x))
	return fold(x, 16)
}

// mixHost is mix on the host.
func mixHost(x uint32) uint32 {
	x = (x ^ x>>16) * mixA
	x = (x ^ x>>13) * mixB
	return x ^ x>>16
}
