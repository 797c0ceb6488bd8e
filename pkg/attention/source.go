package attention

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/backend"
)

// Earlier is the mask of the entries that pass a threshold in the attention of earlier layers, the sources: of one, or of the mean of several. Each source keeps its
// part, see KeepMask; later layers use the mask.
type Earlier struct {
	Name    string // under which the sources keep it
	Sources int    // how many layers
	Pairing Pairing
	// One of these is the threshold: Tau, a scalar that a probability must be above; Tau as a multiple of an even share, PerKey; the TopK most probable entries of a
	// row that are not excluded; those above the row's Quantile of them.
	Tau      *Node
	PerKey   bool
	TopK     int
	Quantile float64
	Without  Excluded
	Execution
}

// Pairing is how a head finds the head of the source that it emulates.
type Pairing int

const (
	SameHead  Pairing = iota // the head of the same index
	MeanHeads                // all of them: the mean of the source's heads
	BestHead                 // for each row, the head of the source whose row has the largest cosine with the head's own
)

func (m Earlier) shared() string {
	if m.Pairing == BestHead {
		return ""
	}
	return m.Name
}

func (m Earlier) byRows() bool { return true }

// source is the name of the i-th source layer as it is kept.
func (m Earlier) source(i int) string { return fmt.Sprintf("%s.%d", m.Name, i) }

// KeepMask is called at each source layer, the i-th of m.Sources, in order: what later layers need of it is kept. The last source makes the mask, once: in bits where later layers are
// computed by fused kernels, made by blocks of rows, otherwise whole. Where bits would not fit, or where every head looks for its best match, what the sources'
// probabilities are made of is kept and later layers find the mask themselves.
func KeepMask(s *Site, m Earlier, i int) {
	last := m.Sources - 1
	if i < last {
		KeepLayer(s, m.source(i))
		return
	}
	sources := m.before(s, last)
	sources = append(sources, s)
	byRows := s.fusedByRows() || !s.rewritten && s.tooLarge()
	if m.Pairing == BestHead || s.fusedByRows() && !m.fitsBits(s) {
		KeepLayer(s, m.source(last))
		if s.fusedByRows() {
			return
		}
	}
	if byRows {
		s.Keep(m.Name+".bits", m.inBits(s, sources))
		return
	}
	s.Keep(m.Name+".mask", m.above(s, m.pattern(sources)))
}

// fusedByRows reports whether a fused kernel computes the layer and gives its probabilities in blocks of rows.
func (s *Site) fusedByRows() bool {
	return !s.rewritten && s.blocked() && backend.IsXLA(s.graph().Backend()) && s.LSE() != nil
}

// fitsBits reports whether the mask may be held whole: by the bytes of a square in half precision, as other ways to make a mask are bounded.
func (m Earlier) fitsBits(s *Site) bool { return bytesOf(s.entries())/2 <= m.maxBytes() }

// inBits is the mask as kernels read it, see kernel.Pack.
func (m Earlier) inBits(s *Site, sources []*Site) *Node {
	var parts []*Node
	var before *Node // blocks whose probabilities come from scores wait for one another: see after
	for _, at := range blocks(s, leastBlocks) {
		of := sources
		if before != nil && !s.fusedByRows() {
			of = slices.Clone(sources)
			of[len(of)-1] = s.after(before)
		}
		before = kernel.Pack(m.above(s.rows(at[0], at[1]), m.pattern(cut(of, at))), s.NumKeys())
		parts = append(parts, before)
	}
	return concatenateRows(parts)
}

func cut(sites []*Site, at [2]int) []*Site {
	parts := make([]*Site, len(sites))
	for i, s := range sites {
		parts[i] = s.rows(at[0], at[1])
	}
	return parts
}

// sources are the source layers as they were kept: whole, or the rows that a part of a site has, waiting for what it waits for.
func (m Earlier) sources(site *Site) []*Site {
	whole := site
	if site.cutFrom != nil {
		whole = site.cutFrom
	}
	sites := m.before(whole, m.Sources)
	for i := range sites {
		if site.waits != nil {
			sites[i] = sites[i].after(site.waits)
		}
	}
	if site.cutFrom != nil {
		return cut(sites, site.at)
	}
	return sites
}

// before are the first n sources as they were kept.
func (m Earlier) before(site *Site, n int) []*Site {
	sites := make([]*Site, n)
	for i := range sites {
		if sites[i] = KeptLayer(site, m.source(i)); sites[i] == nil {
			exceptions.Panicf("layer %d: no earlier layer has kept the %d. source of the mask %q: call KeepMask there", site.Index, i+1, m.Name)
		}
	}
	return sites
}

// pattern is the mean of the sources' probabilities, of whole layers or of the same rows of each.
func (m Earlier) pattern(sources []*Site) *Node {
	sum := sources[0].Probs()
	for _, s := range sources[1:] {
		sum = Add(sum, s.Probs())
	}
	if n := len(sources); n > 1 {
		sum = DivScalar(sum, float64(n))
	}
	return sum
}

// of is the mask of a later layer, or of rows of it.
func (m Earlier) of(site *Site, _ *Node) *Node {
	mask := m.found(site)
	if mask != nil && m.Pairing != BestHead {
		return mask
	}
	sources := m.sources(site)
	if mask == nil {
		mask = m.above(sources[len(sources)-1], m.pattern(sources))
	}
	if m.Pairing == BestHead {
		return bestHeads(site, m.pattern(sources), mask)
	}
	return mask
}

// found is the mask as the last source left it, bool [batch, heads, queries, keys]; nil where it did not.
func (m Earlier) found(site *Site) *Node {
	d := site.entries()
	if bits := site.Kept(m.Name + ".bits"); bits != nil {
		if site.cutFrom != nil {
			bits = SliceAxis(bits, 2, AxisRange(site.at[0], site.at[1]))
		}
		return kernel.Unpack(bits, d[3])
	}
	mask := site.Kept(m.Name + ".mask")
	if mask != nil && site.cutFrom != nil {
		mask = SliceAxis(SliceAxis(mask, 2, AxisRange(site.at[0], site.at[1])), 3, AxisRange(0, d[3]))
	}
	return mask
}

// byLimits is the source layer where the mask is that of the entries of its attention that pass their row's limit and nothing else, for a kernel that finds them as
// it goes; nil where it is not.
func (m Earlier) byLimits(site *Site) *Site {
	if m.Pairing != SameHead || m.TopK > 0 || m.Quantile > 0 || len(m.Without.Positions)+len(m.Without.Tokens) > 0 || m.Sources != 1 {
		return nil
	}
	source := KeptLayer(site, m.source(0))
	if source == nil || source.lse == nil || source.Softcap > 0 || source.Window > 0 && source.Window < source.NumKeys() {
		return nil
	}
	if !source.Query.Shape().Equal(site.Query.Shape()) || !source.Keys[0].Shape().Equal(site.Keys[0].Shape()) {
		return nil
	}
	return source
}

// bestHeads gives every row the mask of the source's head whose row has the largest cosine with its own: bool [batch, heads, queries, keys]. probs are the source's.
func bestHeads(site *Site, probs, mask *Node) *Node {
	// The row's own norm is the same for all candidates.
	own := site.Probs()
	norm := Sqrt(AddScalar(sumRow(Square(probs)), tiny))
	candidates := Div(probs, norm)
	overlap := DotGeneral(own, []int{3}, []int{0, 2}, candidates, []int{3}, []int{0, 2}) // [batch, queries, heads, source heads]
	best := ArgMax(overlap, -1)                                                          // [batch, queries, heads]
	heads := own.Shape().Dimensions[1]
	chosen := OneHot(best, heads, dtypes.Float32)
	marks := ConvertDType(mask, dtypes.Float32)
	mask = DotGeneral(chosen, []int{3}, []int{0, 1}, marks, []int{1}, []int{0, 2}) // [batch, queries, heads, keys]
	mask = TransposeAllAxes(mask, 0, 2, 1, 3)
	return positive(mask)
}

// above is the threshold: true where a probability passes it and the entry is not excluded. site is the last source, or rows of it.
func (m Earlier) above(site *Site, probs *Node) *Node {
	if m.Pairing == MeanHeads {
		return like(m.passes(site, ReduceAndKeep(probs, ReduceMean, 1)), probs)
	}
	return m.passes(site, probs)
}

func (m Earlier) passes(site *Site, probs *Node) *Node {
	excluded := m.Without.marks(site)
	switch {
	case m.TopK > 0:
		count := MulScalar(OnesLike(InsertAxes(site.QueryPos, 1, -1)), m.TopK)
		return site.chooseLargest(eligible(site, excluded, probs), ordered(probs), count, probabilityBits)
	case m.Quantile > 0:
		eligible := eligible(site, excluded, probs)
		n := sumRow(ConvertDType(eligible, dtypes.Float32))
		count := ConvertDType(Ceil(MulScalar(n, 1-m.Quantile)), dtypes.Int32)
		return site.chooseLargest(eligible, ordered(probs), count, probabilityBits)
	}
	limit := m.Tau
	if m.PerKey {
		visible := sumRow(ConvertDType(site.Mask, dtypes.Float32)) // [1 or batch, 1, queries, 1]
		limit = Div(limit, MaxScalar(visible, 1.0))
	}
	if excluded != nil {
		// What is excluded gets a limit that no probability passes.
		if !limit.IsScalar() {
			dims := unionDims(excluded, limit)
			excluded, limit = BroadcastToDims(excluded, dims...), BroadcastToDims(limit, dims...)
		}
		limit = Where(excluded, Scalar(probs.Graph(), probs.DType(), 2), limit)
	}
	return GreaterThan(probs, limit)
}
