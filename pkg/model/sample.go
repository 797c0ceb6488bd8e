package model

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Sampling says how the next token is chosen. The zero value is greedy: the most likely token, the first one on a tie.
//
// Random numbers come from the host (PCG, one stream per sequence), so the same seed draws the same tokens on every backend as
// far as their logits agree.
type Sampling struct {
	Temperature float64 // divides the logits; 0 = greedy
	TopK        int     // keep the k most likely tokens; 0 = all
	TopP        float64 // keep the smallest set with at least this probability (nucleus sampling, Holtzman et al. 2019); 0 = all
	Seed        uint64  // of the random numbers
}

func (s Sampling) validate(vocab int) error {
	switch {
	case s.Temperature < 0:
		return fmt.Errorf("temperature is %v, expected 0 (greedy) or more", s.Temperature)
	case s.TopK < 0 || s.TopK > vocab:
		return fmt.Errorf("top-k is %d, expected 0 (all) to the vocabulary's %d", s.TopK, vocab)
	case s.TopP < 0 || s.TopP > 1:
		return fmt.Errorf("top-p is %v, expected 0 (all) to 1", s.TopP)
	}
	return nil
}

// next chooses a token from each row of logits: float32 [batch, vocab] -> int32 [batch]. uniform, float32 [batch] in [0, 1), decides.
func (s Sampling) next(logits, uniform *Node) *Node {
	if s.Temperature == 0 {
		return ArgMax(logits, -1, dtypes.Int32)
	}
	// The barrier makes all that follows see the same bits: XLA may otherwise compute the softmax again for each use, rounding differently, and a
	// threshold found on one copy can exclude every entry of another.
	probs := OptimizationBarrier(Softmax(DivScalar(logits, s.Temperature), -1))
	if s.TopK > 0 || s.TopP > 0 {
		probs = s.truncate(probs)
	}
	cumulative := CumSum(probs, -1)
	total := SliceAxis(cumulative, -1, AxisElem(-1))
	below := LessOrEqual(cumulative, Mul(InsertAxes(uniform, -1), total)) // tokens wholly before the draw
	index := ReduceSum(ConvertDType(below, dtypes.Int32), -1)
	// Rounding could push the draw past the last token that has any probability; that token is then meant.
	positive := GreaterThan(probs, ScalarZero(probs.Graph(), probs.DType()))
	last := ReduceMax(Where(positive, indexLike(probs), ZerosLike(indexLike(probs))), -1)
	return Min(index, last)
}

// indexLike is 0..n-1 along the last axis with x's dimensions, int32.
func indexLike(x *Node) *Node {
	shape := x.Shape().Clone()
	shape.DType = dtypes.Int32
	return Iota(x.Graph(), shape, -1)
}

// truncate zeroes the probabilities outside the top-k set and the nucleus. Tokens tied with the last one kept are kept too.
func (s Sampling) truncate(probs *Node) *Node {
	out := probs
	keep := func(above func(kept *Node) *Node) {
		bits := thresholdBits(probs, above)
		out = Where(GreaterOrEqual(Bitcast(probs, dtypes.Int32), bits), out, ZerosLike(out))
	}
	if s.TopP > 0 {
		keep(func(kept *Node) *Node {
			mass := ReduceAndKeep(Where(kept, probs, ZerosLike(probs)), ReduceSum, -1)
			return GreaterOrEqual(mass, Scalar(probs.Graph(), probs.DType(), s.TopP))
		})
	}
	if s.TopK > 0 {
		keep(func(kept *Node) *Node {
			count := ReduceAndKeep(ConvertDType(kept, dtypes.Int32), ReduceSum, -1)
			return GreaterOrEqual(count, Scalar(probs.Graph(), dtypes.Int32, s.TopK))
		})
	}
	return out
}

// thresholdBits finds, for each row, the largest t for which the set of entries at or above t is enough, int32 [batch, 1]: t as the bits of a float32,
// which order non-negative floats as integers do. 31 halvings make it exact, and unlike a sort they may stand in a loop's body.
func thresholdBits(probs *Node, enough func(kept *Node) *Node) *Node {
	bits := Bitcast(probs, dtypes.Int32)
	threshold := ReduceAndKeep(ZerosLike(bits), ReduceMax, -1)
	for bit := 30; bit >= 0; bit-- {
		candidate := AddScalar(threshold, int32(1)<<bit)
		threshold = Where(enough(GreaterOrEqual(bits, candidate)), candidate, threshold)
	}
	return threshold
}

// uniforms draws the random numbers of one chunk of decoding: row by row from each sequence's own stream.
func uniforms(streams []*rand.Rand, steps int) []float32 {
	u := make([]float32, len(streams)*steps)
	for i := range u {
		u[i] = streams[i/steps].Float32()
	}
	return u
}

// newStreams makes each sequence's random stream, of the numbers given or of its place in the batch.
func newStreams(seed uint64, batch int, numbers []uint64) []*rand.Rand {
	streams := make([]*rand.Rand, batch)
	for i := range streams {
		number := uint64(i)
		if numbers != nil {
			number = numbers[i]
		}
		streams[i] = rand.New(rand.NewPCG(seed, number))
	}
	return streams
}
