package clean

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"unicode"
)

// NearOptions of [Duplicates]. The zero value is the documented default.
type NearOptions struct {
	Similarity float64 // texts at least so alike are one; 0 = 0.8; 1 = only texts of the same words
	Shingle    int     // words in a row that are compared; 0 = 5
}

// Duplicate says that a text repeats an earlier one.
type Duplicate struct {
	Index, Of  int     // places in the list; Of is kept
	Similarity float64 // Jaccard similarity of their shingles; 1 if all shingles agree
	Exact      bool    // the same words in the same order
}

// Bands of the index: a pair of similarity s meets in at least one of them with probability 1 - (1 - s^rows)^bands: 0.9997 at 0.8, 0.02 at 0.3.
const (
	minhashBands = 32
	minhashRows  = 5
)

// Duplicates finds the texts that repeat an earlier one, exactly or nearly. The first of each group is kept, and every other is compared with what
// is kept.
//
// A text is the set of its shingles (n words in a row, lower case, without punctuation); two texts are as alike as the Jaccard
// similarity of their sets, |A and B| / |A or B|. Candidates come from MinHash (Broder 1997) with 160 hash functions in 32 bands of 5 (Leskovec,
// Rajaraman and Ullman, "Mining of Massive Datasets", 3.4); each candidate's similarity is then computed, so nothing is removed that is not that
// alike, and a pair at the threshold 0.8 is missed in about 3 of 10,000 cases. Below a similarity of 0.6 more is missed: that is refused.
//
// Items written from one form, as the generator's are, repeat each other's words on purpose: there only exact repeats are a fault.
func Duplicates(texts []string, o NearOptions) ([]Duplicate, error) {
	if o.Similarity == 0 {
		o.Similarity = 0.8
	}
	if o.Shingle == 0 {
		o.Shingle = 5
	}
	if o.Similarity < 0.6 || o.Similarity > 1 || o.Shingle < 1 {
		return nil, fmt.Errorf("corpus: near-duplicates of similarity %g with shingles of %d words: expected 0.6 to 1, and 1 word or more", o.Similarity, o.Shingle)
	}
	exact := make(map[string]int)
	bands := make(map[uint64][]int)
	kept := make(map[int][]uint64) // shingles of kept texts
	var found []Duplicate
	for i, text := range texts {
		list := words(text)
		plain := strings.Join(list, " ")
		if first, again := exact[plain]; again {
			found = append(found, Duplicate{i, first, 1, true})
			continue
		}
		set := shingles(list, o.Shingle)
		keys := bandKeys(set)
		best := Duplicate{Index: i, Of: -1}
		if o.Similarity < 1 {
			for _, key := range keys {
				for _, j := range bands[key] {
					if s := jaccard(set, kept[j]); s >= o.Similarity && (s > best.Similarity || best.Of < 0) {
						best.Of, best.Similarity = j, s
					}
				}
			}
		}
		if best.Of >= 0 {
			found = append(found, best)
			exact[plain] = best.Of
			continue
		}
		exact[plain] = i
		kept[i] = set
		for _, key := range keys {
			bands[key] = append(bands[key], i)
		}
	}
	return found, nil
}

// shingles are the hashes of every n words in a row, sorted, each once; of a shorter text, of all its words.
func shingles(words []string, n int) []uint64 {
	var set []uint64
	for i := range max(len(words)-n, 0) + 1 {
		h := fnv.New64a()
		for _, w := range words[i:min(i+n, len(words))] {
			h.Write([]byte(w))
			h.Write([]byte{' '})
		}
		set = append(set, mix(h.Sum64()))
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// bandKeys are the hashes of a set's bands. Hash function k of a shingle x is mix(x + k times an odd constant), and its minimum over the set is
// the same for two sets with the probability of their similarity.
func bandKeys(set []uint64) [minhashBands]uint64 {
	var keys [minhashBands]uint64
	for band := range keys {
		key := uint64(band)
		for row := range minhashRows {
			shift := uint64(band*minhashRows+row+1) * 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio, as in SplitMix64
			least := uint64(math.MaxUint64)
			for _, x := range set {
				least = min(least, mix(x+shift))
			}
			key = mix(key ^ least)
		}
		keys[band] = key
	}
	return keys
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): the low bits of FNV-1a alone are too regular.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// jaccard similarity of two sorted sets; neither is empty.
func jaccard(a, b []uint64) float64 {
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			both++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// words are the letters and digits of a text in lower case, at everything else cut: what is left of two copies of a text whose layout and
// punctuation differ.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
