package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Part is a share of a set of items, such as what one of several machines computes: every item is in one part, whatever the other items are. The zero value is the whole.
type Part struct {
	Index int // 1 to Of
	Of    int // how many parts there are
}

// ParsePart reads "3/64", which String writes.
func ParsePart(text string) (Part, error) {
	index, of, _ := strings.Cut(text, "/")
	i, err := strconv.Atoi(index)
	n, err2 := strconv.Atoi(of)
	if err != nil || err2 != nil || i < 1 || i > n {
		return Part{}, fmt.Errorf("store: part %q: expected PART/PARTS, such as 3/64", text)
	}
	return Part{i, n}, nil
}

// String is "3/64", and "1/1" for the whole.
func (p Part) String() string { return fmt.Sprintf("%d/%d", max(p.Index, 1), max(p.Of, 1)) }

// Has reports whether an item is in the part: by its hash modulo the number of parts.
func (p Part) Has(item string) bool {
	if p.Of <= 1 {
		return true
	}
	sum := sha256.Sum256([]byte(item))
	return binary.BigEndian.Uint64(sum[:])%uint64(p.Of) == uint64(p.Index-1)
}

// HasPlace reports whether the item at a place of a list is in the part: places are dealt out in turn.
func (p Part) HasPlace(i int) bool { return p.Of <= 1 || i%p.Of == p.Index-1 }
