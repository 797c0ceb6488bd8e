package while_test

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/internal/testdevices"
	"github.com/attune-lab/attune/pkg/internal/while"
)

// TestLoopRunsWhileTheConditionHolds adds up 1 to 10; what the body leaves as it is comes out as it went in.
func TestLoopRunsWhileTheConditionHolds(t *testing.T) {
	out := MustExecOnceN(testdevices.FromEnv(t), func(last *Node) []*Node {
		one := func(x *Node) *Node { return ConstAsDType(x.Graph(), x.DType(), 1) }
		state := []*Node{Sub(last, last), Sub(last, last), last}
		return while.Loop(state, func(s []*Node) *Node { return LessThan(s[0], s[2]) }, func(s []*Node) []*Node {
			next := Add(s[0], one(s[0]))
			return []*Node{next, Add(s[1], next), s[2]}
		})
	}, int32(10))
	for i, want := range []int32{10, 55, 10} {
		if got := tensors.ToScalar[int32](out[i]); got != want {
			t.Errorf("value %d of the state ends as %d, expected %d", i, got, want)
		}
	}
}
