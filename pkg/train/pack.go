package train

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// Document is a text as a model is trained on it: token ids, and the weight of each as something to be predicted. The first token is
// predicted by nothing, so its weight does not count.
type Document struct {
	Tokens  []int32
	Weights []float32 // one per token; nil means 1 for each
}

// inputs is how many places the document takes: its last token is only a label.
func (d Document) inputs() int { return len(d.Tokens) - 1 }

// counts says whether any of its tokens has a weight in the loss.
func (d Document) counts() bool {
	return d.Weights == nil || slices.ContainsFunc(d.Weights[1:], func(w float32) bool { return w != 0 })
}

func (d Document) validate() error {
	if len(d.Tokens) < 2 {
		return fmt.Errorf("%d tokens, expected 2 or more: a next-token loss needs a next token", len(d.Tokens))
	}
	if d.Weights != nil && len(d.Weights) != len(d.Tokens) {
		return fmt.Errorf("%d weights for %d tokens, expected one for each", len(d.Weights), len(d.Tokens))
	}
	return nil
}

// Packed are rows that hold several documents each, one after the other, every array [Rows, Width] row by row.
//
// Within a document everything is as if it stood alone: its positions count from 0 and its labels are its own next tokens. A model
// keeps them apart if query i sees key j only where
//
//	j <= i  and  Segments[i] == Segments[j]
//
// and then the loss of each token is that of the document alone.
type Packed struct {
	Rows, Width int
	Tokens      []int32   // 0 in padding
	Labels      []int32   // the next token of the same document
	Weights     []float32 // of the labels; 0 in padding
	Positions   []int32   // from 0 in each document
	Segments    []int32   // 1, 2, ... along a row; 0 is padding
	// Documents are the numbers of each row's documents in what was packed: the list given to [Pack], the source of a [Feed].
	Documents [][]int
}

// Filled is the share of places that are not padding.
func (p *Packed) Filled() float64 {
	if len(p.Segments) == 0 {
		return 0
	}
	return float64(p.tokens()) / float64(len(p.Segments))
}

// tokens is how many places are not padding.
func (p *Packed) tokens() int {
	n := 0
	for _, s := range p.Segments {
		if s != 0 {
			n++
		}
	}
	return n
}

// several says whether any row holds more than one document.
func (p *Packed) several() bool { return slices.Max(p.Segments) > 1 }

// weight is the sum of all weights.
func (p *Packed) weight() float64 {
	sum := 0.0
	for _, w := range p.Weights {
		sum += float64(w)
	}
	return sum
}

// Pack lays documents out in as few rows of the width as best-fit decreasing finds. Every document is in exactly one row, whole.
func Pack(docs []Document, width int) (*Packed, error) {
	rows, err := plan(docs, width)
	if err != nil {
		return nil, err
	}
	return fill(docs, rows, width), nil
}

// plan chooses the documents of every row: the longest first, each into the row where it leaves least room, else into a new one
// (best-fit decreasing; Johnson 1974: at most 11/9 of the best number of rows and a few). Equal lengths keep their order.
func plan(docs []Document, width int) (rows [][]int, err error) {
	order := make([]int, len(docs))
	for i, d := range docs {
		if err := d.validate(); err != nil {
			return nil, fmt.Errorf("packing document %d: %w", i, err)
		}
		if d.inputs() > width {
			return nil, fmt.Errorf("packing document %d: %d tokens do not fit in rows of %d and one label: split it or use longer rows", i, len(d.Tokens), width)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(docs[b].Tokens), len(docs[a].Tokens)) })
	open := newRooms(width)
	for _, i := range order {
		n := docs[i].inputs()
		row, room := open.take(n)
		if row < 0 {
			row, room = len(rows), width
			rows = append(rows, nil)
		}
		rows[row] = append(rows[row], i)
		open.put(row, room-n)
	}
	return rows, nil
}

// fill writes the rows out.
func fill(docs []Document, rows [][]int, width int) *Packed {
	n := len(rows) * width
	ids := make([]int32, 4*n)
	p := &Packed{Rows: len(rows), Width: width, Tokens: ids[:n:n], Labels: ids[n : 2*n : 2*n], Positions: ids[2*n : 3*n : 3*n], Segments: ids[3*n:], Weights: make([]float32, n), Documents: rows}
	for r, row := range rows {
		at := r * width
		for s, i := range row {
			doc := docs[i]
			k := doc.inputs()
			copy(p.Tokens[at:], doc.Tokens[:k])
			copy(p.Labels[at:], doc.Tokens[1:])
			if doc.Weights != nil {
				copy(p.Weights[at:], doc.Weights[1:])
			}
			for j := range k {
				if doc.Weights == nil {
					p.Weights[at+j] = 1
				}
				p.Positions[at+j] = int32(j)
				p.Segments[at+j] = int32(s + 1)
			}
			at += k
		}
	}
	return p
}

// rooms finds among open rows one with the least room that is still enough.
type rooms struct {
	rows [][]int  // by the room they have, a stack for each
	some []uint64 // bit r is set if rows[r] is not empty
}

func newRooms(width int) *rooms {
	return &rooms{rows: make([][]int, width+1), some: make([]uint64, width/64+1)}
}

// take removes a row with room for n and returns it and its room, or -1.
func (r *rooms) take(n int) (row, room int) {
	word := n / 64
	if word >= len(r.some) {
		return -1, 0
	}
	found := r.some[word] &^ (1<<(n%64) - 1)
	for found == 0 {
		if word++; word == len(r.some) {
			return -1, 0
		}
		found = r.some[word]
	}
	room = word*64 + bits.TrailingZeros64(found)
	stack := r.rows[room]
	row = stack[len(stack)-1]
	r.rows[room] = stack[:len(stack)-1]
	if len(stack) == 1 {
		r.some[word] &^= 1 << (room % 64)
	}
	return row, room
}

func (r *rooms) put(row, room int) {
	if room == 0 {
		return
	}
	r.rows[room] = append(r.rows[room], row)
	r.some[room/64] |= 1 << (room % 64)
}
