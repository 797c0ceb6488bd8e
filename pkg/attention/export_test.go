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
