package train

import (
	"fmt"
	"slices"
)

// fetcher takes batches from a feed while a step computes.
type fetcher struct {
	feed    *Feed
	batches chan fetched
	stopped chan struct{}
	ended   chan struct{}
}

// fetched is a batch with the feed's place behind it; without a batch the feed has ended or failed.
type fetched struct {
	batch *Packed
	place FeedState
	err   error
}

// fetch begins; the feed is the fetcher's until it is stopped.
func fetch(feed *Feed) *fetcher {
	const ahead = 2 // batches that are ready
	f := &fetcher{feed: feed, batches: make(chan fetched, ahead), stopped: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for {
			p, err := feed.Next()
			select {
			case f.batches <- fetched{p, feed.State(), err}:
			case <-f.stopped:
				return
			}
			if p == nil {
				return
			}
		}
	}()
	return f
}

// take is the next n batches and the place behind them; nil at the feed's end. A token outside the vocabulary is an error.
func (f *fetcher) take(n, vocab int) ([]*Packed, FeedState, error) {
	var list []*Packed
	var place FeedState
	for range n {
		b := <-f.batches
		if b.batch == nil {
			return nil, place, b.err
		}
		if id := max(slices.Max(b.batch.Tokens), slices.Max(b.batch.Labels)); int(id) >= vocab {
			return nil, place, fmt.Errorf("token %d in one of %s is outside the model's vocabulary of %d: was it made with another tokenizer?", id, documentsOf([]*Packed{b.batch}), vocab)
		}
		list, place = append(list, b.batch), b.place
	}
	return list, place, nil
}

// stop gives the feed back, at the place behind the last batch that was used.
func (f *fetcher) stop(place FeedState) {
	close(f.stopped)
	<-f.ended
	f.feed.state, f.feed.now, f.feed.next = place, nil, nil
}
