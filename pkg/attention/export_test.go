package attention

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention/kernel"
)

// What tests look at beneath Change.

// A Plan is what Change would do at a site.
type Plan = change

// Intercept hands every Change of a site to f and does nothing else.
func Intercept(s *Site, f func(*Plan)) { s.intercept = f }

// BlockBytes sets the size of a block of rows and returns what it was.
func BlockBytes(n int) int {
	before := blockBytes
	blockBytes = n
	return before
}

func (s *Site) Entries() []int             { return s.entries() }
func (s *Site) Blocks(atLeast int) int     { return len(blocks(s, atLeast)) }
func (s *Site) Weigh(p *Node) *Node        { return s.weigh(p) }
func (s *Site) WeighByBlocks() *Node       { return s.weighByBlocks() }
func (s *Site) TakesBias() bool            { return s.takesBias() }
func (s *Site) RunFused() (out, lse *Node) { return s.runFused(nil) }

func (c *change) Site() *Site                    { return c.site }
func (c *change) Whole() *Node                   { return c.whole() }
func (c *change) OnProbs(p *Node) *Node          { return c.onProbs(p) }
func (c *change) Cuttable() bool                 { return c.cuttable() }
func (c *change) FusedForm() bool                { return c.fusedForm() }
func (c *change) RunBlocks() *Node               { return c.runBlocks() }
func (c *change) RunFused() *Node                { return c.runFused() }
func (c *change) InBits() *Node                  { return c.inBits() }
func (c *change) OnePass() (kernel.Mask, string) { return c.onePass() }
func (c *change) RunOnePass(m kernel.Mask) *Node { return c.runOnePass(m) }

// ByPasses is the fused form, given a run of the kernel with a bias, nil for none.
func (c *change) ByPasses(pass func(bias *Node) (out, lse *Node)) *Node {
	return c.fused(passes{
		plain: func() (out, lse *Node) { return pass(nil) }, inside: func() (out, lse *Node) { return pass(c.bias(true)) },
		outside: func() (out, lse *Node) { return pass(c.bias(false)) }, own: func(lse *Node) (share, value *Node) { return own(c.site, lse) },
	})
}

// Limits, SumRow, Like and MixHost are the functions of their names.
func Limits(lse, positions, threshold *Node, perKey bool) *Node {
	return limits(lse, positions, threshold, perKey)
}
func SumRow(x *Node) *Node    { return sumRow(x) }
func Like(x, y *Node) *Node   { return like(x, y) }
func MixHost(x uint32) uint32 { return mixHost(x) }

// Found is the mask that the last source kept.
func (m Earlier) Found(s *Site) *Node { return m.found(s) }

// InForm puts a mask that the only source kept whole into the form that fused kernels read: its bits, or the operands that it is found from.
func InForm(s *Site, name, form string) {
	mask := s.Kept(name + ".mask")
	switch form {
	case "bits":
		s.Keep(name+".bits", kernel.Pack(mask, s.NumKeys()))
	case "operands":
		scores := s.Scores()
		top := ReduceAndKeep(scores, ReduceMax, -1)
		KeepOperands(s, name+".0", Squeeze(Add(top, Log(sumRow(Exp(Sub(scores, top))))), -1))
	default:
		return
	}
	delete(s.carry.kept, s.scope+name+".mask")
	delete(s.carry.fresh, s.scope+name+".mask")
}

// FoundByLimits is the mask as the kernel that compares products with limits finds it; nil where it does not.
func (c *change) FoundByLimits() *Node {
	m, ok := c.Mask.(Earlier)
	if !ok || m.byLimits(c.site) == nil {
		return nil
	}
	source := m.byLimits(c.site)
	mask := source.aboveLimits(limits(source.lse, source.QueryPos, m.Tau, m.PerKey), !m.Without.Diagonal)
	d := c.site.entries()
	kvHeads := mask.Key.Shape().Dimensions[2]
	keys := Reshape(BroadcastToDims(InsertAxes(mask.Key, 3), d[0], d[3], kvHeads, d[1]/kvHeads, mask.Key.Shape().Dimensions[3]), d[0], d[3], d[1], -1)
	products := Einsum("bqhd,bkhd->bhqk", mask.Query, keys)
	above := GreaterThan(products, like(InsertAxes(mask.Limit, -1), products))
	if !mask.Diagonal {
		above = whereNot(c.site.Diagonal(), above, d)
	}
	return LogicalAnd(above, like(c.site.Mask, above))
}

// SquareBytes sets how large probabilities may be that are formed at once, and returns what it was.
func SquareBytes(n int64) int64 {
	before := squareBytes
	squareBytes = n
	return before
}
