package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	// cacheSlots is a power of two: 32,768 words cover nearly all of running text and the empty table takes 256 KB.
	cacheSlots = 1 << 15
	// maxCachedWord in bytes; longer words are rare and seldom come back.
	maxCachedWord = 64
)

// wordCache remembers the units of words seen before. A word has one place and the latest word there stays, which needs no lock
// and bounds the memory.
type wordCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cachedWord]
}

type cachedWord struct {
	word  string
	units []unit
}

func newWordCache() wordCache {
	return wordCache{maphash.MakeSeed(), make([]atomic.Pointer[cachedWord], cacheSlots)}
}

func (c *wordCache) slot(word string) *atomic.Pointer[cachedWord] {
	return &c.slots[maphash.String(c.seed, word)&(cacheSlots-1)]
}

func (c *wordCache) get(word string) ([]unit, bool) {
	if len(word) > maxCachedWord {
		return nil, false
	}
	if found := c.slot(word).Load(); found != nil && found.word == word {
		return found.units, true
	}
	return nil, false
}

func (c *wordCache) put(word string, units []unit) {
	if len(word) > maxCachedWord {
		return
	}
	// Both are copied: word is a part of a text that must not be kept alive, units of a buffer that is used again.
	c.slot(word).Store(&cachedWord{strings.Clone(word), append([]unit(nil), units...)})
}
