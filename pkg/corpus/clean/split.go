package clean

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Share is a part of a set by name: Parts of all parts.
type Share struct {
	Name  string
	Parts int
}

// Splitter puts content into splits by its hash: the same content always into the same split, whatever its order, its ID and whatever else is in
// the set, so that a set can grow without an item changing sides, and a duplicate never straddles.
//
// SHA-256 of salt, zero byte and content gives a number of 32 bits, which falls into the shares as they lie one after the other.
type Splitter struct {
	salt   string
	shares []Share
	total  int
}

// NewSplitter checks the shares. Another salt splits otherwise.
func NewSplitter(salt string, shares ...Share) (*Splitter, error) {
	s := &Splitter{salt: salt, shares: shares}
	met := make(map[string]bool)
	for _, share := range shares {
		if share.Name == "" || met[share.Name] || share.Parts < 1 || share.Parts > math.MaxInt32 {
			return nil, fmt.Errorf("corpus: share %q of %d parts: every share needs a name of its own and 1 part or more", share.Name, share.Parts)
		}
		met[share.Name] = true
		s.total += share.Parts
	}
	if len(shares) == 0 {
		return nil, fmt.Errorf("corpus: splitting needs a share")
	}
	return s, nil
}

// Of is the split of some content.
func (s *Splitter) Of(content []byte) string {
	hash := sha256.New()
	hash.Write([]byte(s.salt))
	hash.Write([]byte{0})
	hash.Write(content)
	// The top 32 bits times the parts cannot overflow.
	at := uint64(binary.BigEndian.Uint32(hash.Sum(nil))) * uint64(s.total) >> 32
	for _, share := range s.shares {
		if at < uint64(share.Parts) {
			return share.Name
		}
		at -= uint64(share.Parts)
	}
	return s.shares[len(s.shares)-1].Name
}

// OfItem is the split of an item, by its [Fingerprint].
func (s *Splitter) OfItem(it corpus.Item) string {
	print := it.Fingerprint()
	return s.Of(print[:])
}

// Items deals items out, in their order within each split.
func (s *Splitter) Items(items []corpus.Item) map[string][]corpus.Item {
	dealt := make(map[string][]corpus.Item, len(s.shares))
	for _, it := range items {
		name := s.OfItem(it)
		dealt[name] = append(dealt[name], it)
	}
	return dealt
}
