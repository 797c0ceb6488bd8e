package clean

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Named is a text with the name by which a report speaks of it.
type Named struct{ ID, Text string }

// NamedItems are items by what a model is asked: question and options.
func NamedItems(items []corpus.Item) []Named {
	named := make([]Named, len(items))
	for i, it := range items {
		named[i] = Named{it.ID, it.Question + "\n" + strings.Join(it.Options, "\n")}
	}
	return named
}

// Sizes of what is looked for: 13 words in a row as for GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C), which also uses no fewer than 8. Of a
// shorter evaluation item all words must be found in a row; below 8 words that is not evidence.
const (
	ContaminationGram    = 13
	contaminationAtLeast = 8
)

// Contamination reports which evaluation items have words in a row that are also in the training texts.
type Contamination struct {
	Gram     int             `json:"gram"` // words in a row
	Trained  int             `json:"trained"`
	Sets     []SetReport     `json:"sets"`
	Hits     []Hit           `json:"hits"`
	training map[string]bool // IDs of training texts with a hit
}

// SetReport counts for one evaluation set.
type SetReport struct {
	Name         string `json:"name"`
	Items        int    `json:"items"`
	TooShort     int    `json:"too_short"`    // fewer than 8 words: cannot be judged
	Contaminated int    `json:"contaminated"` // items with a hit
}

// Hit is an evaluation item and the first training text that has words of it.
type Hit struct {
	Set   string `json:"set"`
	Item  string `json:"item"`
	Train string `json:"train"`
	Words string `json:"words"` // the words that both have
}

// Contaminated says whether a training text has words of an evaluation item.
func (c *Contamination) Contaminated(trainID string) bool { return c.training[trainID] }

// Decontaminate looks for evaluation items in training texts: 13 words in a row, lower case, without punctuation. Sets are reported in alphabetical
// order. It holds the evaluation sets in memory and the training texts not: training may be a stream.
func Decontaminate(training iter.Seq[Named], sets map[string][]Named) *Contamination {
	report := &Contamination{Gram: ContaminationGram, training: make(map[string]bool), Hits: []Hit{}}
	names := slices.Sorted(maps.Keys(sets))
	index := grams{byHash: make(map[uint64][]gram), lengths: make(map[int]bool)}
	for s, name := range names {
		r := SetReport{Name: name, Items: len(sets[name])}
		for i, item := range sets[name] {
			if list := words(item.Text); len(list) < contaminationAtLeast {
				r.TooShort++
			} else {
				index.add(s, i, list)
			}
		}
		report.Sets = append(report.Sets, r)
	}
	hit := make(map[[2]int]bool)
	for text := range training {
		report.Trained++
		for g := range index.in(words(text.Text)) {
			report.training[text.ID] = true
			if owner := [2]int{g.set, g.item}; !hit[owner] {
				hit[owner] = true
				report.Sets[g.set].Contaminated++
				report.Hits = append(report.Hits, Hit{names[g.set], sets[names[g.set]][g.item].ID, text.ID, strings.Join(g.words, " ")})
			}
		}
	}
	slices.SortFunc(report.Hits, func(a, b Hit) int {
		return cmp.Or(strings.Compare(a.Set, b.Set), strings.Compare(a.Item, b.Item))
	})
	return report
}

// String is the report for a reader: a line for each set, then for each hit.
func (c *Contamination) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d training texts against %d sets, %d words in a row:\n", c.Trained, len(c.Sets), c.Gram)
	for _, s := range c.Sets {
		fmt.Fprintf(&b, "%s: %d of %d items found, %d too short to judge\n", s.Name, s.Contaminated, s.Items, s.TooShort)
	}
	for _, h := range c.Hits {
		fmt.Fprintf(&b, "%s: %s is in %s: %q\n", h.Set, h.Item, h.Train, h.Words)
	}
	return b.String()
}

// gram is words in a row of an evaluation item.
type gram struct {
	set, item int
	words     []string // a part of the item's words
}

// grams finds words in a row by a hash of them that is carried along a text (Karp and Rabin 1987); every find is compared word by word.
type grams struct {
	byHash  map[uint64][]gram
	lengths map[int]bool // of the grams, in words
}

// gramBase is the base of the hash, any large odd number: here that of PCG's multiplier.
const gramBase = 6364136223846793005

// prefixHashes: entry i is the hash of the first i words, modulo 2^64.
func prefixHashes(words []string) []uint64 {
	prefix := make([]uint64, len(words)+1)
	for i, w := range words {
		h := fnv.New64a()
		h.Write([]byte(w))
		prefix[i+1] = prefix[i]*gramBase + mix(h.Sum64())
	}
	return prefix
}

// hashesOf yields the place and the hash of every n words in a row.
func hashesOf(prefix []uint64, n int) iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		power := uint64(1)
		for range n {
			power *= gramBase
		}
		for at := range max(len(prefix)-n, 0) {
			if !yield(at, prefix[at+n]-prefix[at]*power) {
				return
			}
		}
	}
}

// add enters an item: all its runs of 13 words, or all its words if they are fewer.
func (g *grams) add(set, item int, words []string) {
	n := min(len(words), ContaminationGram)
	g.lengths[n] = true
	for at, hash := range hashesOf(prefixHashes(words), n) {
		g.byHash[hash] = append(g.byHash[hash], gram{set, item, words[at : at+n]})
	}
}

// in yields the grams that are in a text.
func (g *grams) in(words []string) iter.Seq[gram] {
	return func(yield func(gram) bool) {
		prefix := prefixHashes(words)
		for n := range g.lengths {
			for at, hash := range hashesOf(prefix, n) {
				for _, found := range g.byHash[hash] {
					if slices.Equal(found.words, words[at:at+n]) && !yield(found) {
						return
					}
				}
			}
		}
	}
}
