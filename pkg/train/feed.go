package train

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
)

// Source gives documents by number, in memory or from disk. Document is called by several goroutines at once.
type Source interface {
	Len() int
	Document(i int) (Document, error)
}

// Memory is a source in memory.
type Memory []Document

// Len is how many documents there are.
func (s Memory) Len() int { return len(s) }

// Document is one of them.
func (s Memory) Document(i int) (Document, error) { return s[i], nil }

// FeedOptions of [NewFeed]. Width and Rows have no default.
type FeedOptions struct {
	Width  int    // places per row: the model sees so many tokens at once
	Rows   int    // per batch
	Window int    // documents that are packed together; 0 = 1,024. More fill rows better and hold more in memory
	Seed   uint64 // of the order
	Epochs int    // passes over the source; 0 = for ever
}

// FeedState is the place of a feed in its order: it goes into a checkpoint, as JSON. A feed with the same source and options that is
// put there gives the batches that the first one would have given next.
type FeedState struct {
	Seed      uint64 `json:"seed"`
	Documents int    `json:"documents"` // in the source
	Width     int    `json:"width"`
	Window    int    `json:"window_size"`
	Epoch     int    `json:"epoch"`  // from 0
	At        int    `json:"window"` // in the epoch, from 0
	Row       int    `json:"row"`    // of the window, from 0
}

// Feed packs a source into batches without end, or for some epochs.
//
// Each epoch has its own order of the documents ([Permutation] of seed and epoch). Windows of that order are packed one by one and
// their rows shuffled, so that long and short documents mix; a batch takes the next rows, across windows and epochs. All of it follows
// from the seed and the place, so the place is all there is to remember. Documents without any weight are left out. The next window is made while one is used.
// A feed is used by one goroutine.
type Feed struct {
	source Source
	opts   FeedOptions
	state  FeedState
	now    *window
	next   chan *window // the window after now, being made
}

// window is packed documents with the order of their rows.
type window struct {
	epoch, at int
	docs      []Document
	numbers   []int // of the documents in the source
	rows      [][]int
	err       error
}

// NewFeed begins at the first row of the first epoch.
func NewFeed(source Source, o FeedOptions) (*Feed, error) {
	if o.Window == 0 {
		o.Window = 1024
	}
	if o.Width < 1 || o.Rows < 1 || o.Window < 1 || o.Epochs < 0 {
		return nil, fmt.Errorf("a feed of %d rows of width %d from windows of %d documents for %d epochs: width, rows and window must be positive and epochs not negative", o.Rows, o.Width, o.Window, o.Epochs)
	}
	if source.Len() == 0 {
		return nil, fmt.Errorf("a feed needs documents: the source has none")
	}
	return &Feed{source: source, opts: o, state: FeedState{Seed: o.Seed, Documents: source.Len(), Width: o.Width, Window: o.Window}}, nil
}

// State is the place after the last batch.
func (f *Feed) State() FeedState { return f.state }

// Resume goes to a place. It refuses one of another seed, source size, width or window, where the same place means other tokens.
func (f *Feed) Resume(s FeedState) error {
	same := s
	same.Epoch, same.At, same.Row = f.state.Epoch, f.state.At, f.state.Row
	if same != f.state {
		return fmt.Errorf("resuming a feed: the place is of seed %d, %d documents, rows of %d, windows of %d; the feed has seed %d, %d documents, rows of %d, windows of %d: use what the place was saved with",
			s.Seed, s.Documents, s.Width, s.Window, f.state.Seed, f.state.Documents, f.state.Width, f.state.Window)
	}
	if s.Epoch < 0 || s.At < 0 || s.At >= f.windows() || s.Row < 0 {
		return fmt.Errorf("resuming a feed: epoch %d, window %d, row %d do not exist: an epoch has windows 0 to %d", s.Epoch, s.At, s.Row, f.windows()-1)
	}
	f.state, f.now, f.next = s, nil, nil
	return nil
}

func (f *Feed) windows() int { return (f.source.Len() + f.opts.Window - 1) / f.opts.Window }

// Next is the next batch, or nil when the epochs are over; the rows that do not fill a last batch are left out.
func (f *Feed) Next() (*Packed, error) {
	out := &Packed{Width: f.opts.Width}
	s := f.state // moves on only with a whole batch
	empty := 0   // windows without a row, one after the other
	for out.Rows < f.opts.Rows {
		if f.opts.Epochs > 0 && s.Epoch >= f.opts.Epochs {
			return nil, nil
		}
		if err := f.enter(s); err != nil {
			return nil, err
		}
		if empty = empty + 1; len(f.now.rows) > 0 {
			empty = 0
		}
		if empty > f.windows() {
			return nil, fmt.Errorf("no document of the source has a token that counts in the loss: does the loss mask name sections that the texts have?")
		}
		if s.Row >= len(f.now.rows) {
			s.Row = 0
			if s.At++; s.At == f.windows() {
				s.At, s.Epoch = 0, s.Epoch+1
			}
			continue
		}
		n := min(f.opts.Rows-out.Rows, len(f.now.rows)-s.Row)
		out.add(f.now.fill(s.Row, n, f.opts.Width))
		s.Row += n
	}
	f.state = s
	return out, nil
}

// enter makes the place's window the present one, and begins the one after it.
func (f *Feed) enter(s FeedState) error {
	if f.now != nil && f.now.epoch == s.Epoch && f.now.at == s.At {
		return nil
	}
	var w *window
	if f.next != nil {
		w = <-f.next
		f.next = nil
	}
	if w == nil || w.epoch != s.Epoch || w.at != s.At {
		w = f.load(s.Epoch, s.At)
	}
	if w.err != nil {
		return w.err
	}
	f.now = w
	epoch, at := s.Epoch, s.At+1
	if at == f.windows() {
		epoch, at = epoch+1, 0
	}
	if f.opts.Epochs == 0 || epoch < f.opts.Epochs {
		coming := make(chan *window, 1)
		f.next = coming
		go func() { coming <- f.load(epoch, at) }()
	}
	return nil
}

func (f *Feed) load(epoch, at int) *window {
	w := &window{epoch: epoch, at: at}
	order, err := NewPermutation(f.source.Len(), f.opts.Seed, epoch)
	if err != nil {
		w.err = err
		return w
	}
	first := at * f.opts.Window
	w.docs = make([]Document, min(f.opts.Window, f.source.Len()-first))
	errs := make([]error, len(w.docs))
	var wait sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(w.docs))
	for worker := range workers {
		wait.Go(func() {
			for i := worker; i < len(w.docs); i += workers {
				if w.docs[i], errs[i] = f.source.Document(order.At(first + i)); errs[i] == nil {
					errs[i] = w.docs[i].validate()
				}
			}
		})
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			w.err = fmt.Errorf("document %d of the source: %w", order.At(first+i), err)
			return w
		}
		if n := w.docs[i].inputs(); n > f.opts.Width {
			w.err = fmt.Errorf("document %d of the source: %d tokens do not fit in rows of %d and one label: split it or use longer rows", order.At(first+i), n+1, f.opts.Width)
			return w
		}
	}
	// A document without weight would take room and teach nothing, and a batch of them has no mean loss.
	all := w.docs
	w.docs = nil
	for i, d := range all {
		if d.counts() {
			w.docs, w.numbers = append(w.docs, d), append(w.numbers, order.At(first+i))
		}
	}
	w.rows, w.err = plan(w.docs, f.opts.Width)
	rng := rand.New(rand.NewPCG(f.opts.Seed, uint64(epoch)<<32|uint64(at)))
	rng.Shuffle(len(w.rows), func(i, j int) { w.rows[i], w.rows[j] = w.rows[j], w.rows[i] })
	return w
}

// fill writes some of the rows out.
func (w *window) fill(first, n, width int) *Packed {
	p := fill(w.docs, w.rows[first:first+n], width)
	p.Documents = make([][]int, n)
	for r, row := range w.rows[first : first+n] {
		for _, i := range row {
			p.Documents[r] = append(p.Documents[r], w.numbers[i])
		}
	}
	return p
}

// add puts the other's rows below.
func (p *Packed) add(q *Packed) {
	if p.Rows == 0 {
		*p = *q
		return
	}
	p.Rows += q.Rows
	p.Tokens, p.Labels, p.Weights = append(p.Tokens, q.Tokens...), append(p.Labels, q.Labels...), append(p.Weights, q.Weights...)
	p.Positions, p.Segments = append(p.Positions, q.Positions...), append(p.Segments, q.Segments...)
	p.Documents = append(p.Documents, q.Documents...)
}
