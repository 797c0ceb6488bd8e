package tokenizer

import (
	"math/bits"
	"sync"
)

// symbol is a unit that may still be merged, in a doubly linked list of array indices.
type symbol struct {
	unit
	previous, next int32
	merged         bool // swallowed by the symbol before it
}

// candidate is a pair that could be merged: its rank in the upper and the place of its left symbol in the lower half, so that
// the smallest number is the pair to merge next, leftmost among equals.
type candidate uint64

// scratch is the memory of one merge, kept for the next.
type scratch struct {
	symbols []symbol
	heap    []candidate
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// merge appends the units of a word: of all adjacent pairs the one of lowest rank is merged, the leftmost if it occurs twice,
// until none is left. With a heap of candidates and a linked list a word of n bytes takes O(n log n).
func (m *bpe) merge(word string, units []unit) []unit {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.symbols = m.first(word, s.symbols[:0])
	s.heap = s.heap[:0]
	symbols := s.symbols
	last := int32(len(symbols)) - 1
	for i := range symbols {
		symbols[i].previous, symbols[i].next = int32(i)-1, int32(i)+1
		if int32(i) < last {
			s.consider(m, int32(i), int32(i)+1)
		}
	}
	if last >= 0 {
		symbols[last].next = absent
	}
	for len(s.heap) > 0 {
		top := s.pop()
		left := &symbols[uint32(top)]
		if left.merged || left.next == absent {
			continue
		}
		right := &symbols[left.next]
		// The pair at this place may be another by now; then its own candidate is in the heap.
		found, ok := m.merges.get(left.id, right.id)
		if !ok || found.rank != uint32(top>>32) {
			continue
		}
		left.id, left.end = found.id, right.end
		right.merged = true
		left.next = right.next
		if left.next != absent {
			symbols[left.next].previous = int32(uint32(top))
			s.consider(m, int32(uint32(top)), left.next)
		}
		if left.previous != absent {
			s.consider(m, left.previous, int32(uint32(top)))
		}
	}
	for i := range symbols {
		if !symbols[i].merged {
			units = append(units, symbols[i].unit)
		}
	}
	return units
}

// consider adds the pair to the heap if it can be merged.
func (s *scratch) consider(m *bpe, left, right int32) {
	found, ok := m.merges.get(s.symbols[left].id, s.symbols[right].id)
	if !ok {
		return
	}
	s.heap = append(s.heap, candidate(found.rank)<<32|candidate(uint32(left)))
	for i := len(s.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if s.heap[parent] <= s.heap[i] {
			break
		}
		s.heap[parent], s.heap[i] = s.heap[i], s.heap[parent]
		i = parent
	}
}

// pop removes the smallest candidate.
func (s *scratch) pop() candidate {
	top := s.heap[0]
	last := len(s.heap) - 1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && s.heap[child+1] < s.heap[child] {
			child++
		}
		if s.heap[i] <= s.heap[child] {
			break
		}
		s.heap[i], s.heap[child] = s.heap[child], s.heap[i]
		i = child
	}
	return top
}

// merge is what becomes of a pair.
type merge struct {
	rank uint32
	id   int32
}

// mergeTable maps a pair of ids to its merge, in open addressing: it is asked about three times per byte of new text, and a
// Go map would be most of the time of an encode.
type mergeTable struct {
	shift uint
	slots []mergeSlot
}

type mergeSlot struct {
	pair  uint64 // left id + 1 in the upper half, so that no pair is 0
	merge merge
}

// newMergeTable makes room for n pairs at a load of at most a half.
func newMergeTable(n int) mergeTable {
	width := uint(bits.Len(uint(2*n + 1)))
	return mergeTable{shift: 64 - width, slots: make([]mergeSlot, 1<<width)}
}

func pairKey(left, right int32) uint64 { return uint64(uint32(left)+1)<<32 | uint64(uint32(right)) }

// slot returns the place of a pair, or the free one where it would go. The multiplier is 2^64 over the golden ratio
// (Knuth, The Art of Computer Programming 3, section 6.4).
func (t *mergeTable) slot(pair uint64) *mergeSlot {
	for i := pair * 0x9E3779B97F4A7C15 >> t.shift; ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.pair == pair || s.pair == 0 {
			return s
		}
	}
}

// put sets a pair's merge; as in Hugging Face's library the last of several counts.
func (t *mergeTable) put(left, right int32, m merge) {
	pair := pairKey(left, right)
	*t.slot(pair) = mergeSlot{pair, m}
}

func (t *mergeTable) get(left, right int32) (merge, bool) {
	s := t.slot(pairKey(left, right))
	return s.merge, s.pair != 0
}
