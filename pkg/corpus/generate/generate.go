package generate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Defaults of [Options].
const (
	DefaultTrain   = 40_000
	DefaultHeldOut = 800
)

// heldOutOneIn: one combination in so many belongs to the held-out split, whatever the seed.
const heldOutOneIn = 10

// Options of the generator. The zero value makes the default corpus.
type Options struct {
	Seed    uint64         // of every random stream; 0 is a seed like any other
	Train   int            // items to train on; 0 means DefaultTrain, negative none; all domains together have at least 400,000, the smallest 45,000; with grades 480,000
	HeldOut int            // items to evaluate on; 0 means DefaultHeldOut, negative none
	Domains []string       // names; empty means the ten of the first edition without grades, all of [Domains] with them
	Grades  []corpus.Grade // to draw at, see [Graded]; empty means the items of the first edition, which models in the field were trained on
}

// Corpus is a generated set with its two splits. No item is in both (see the package documentation), none is twice in one.
type Corpus struct {
	Train, HeldOut []corpus.Item
	Seed           uint64         // it was made from
	Grades         []corpus.Grade // of the options
}

// split of the generator. The name is part of an item's random stream.
type split string

const (
	train   split = "train"
	heldOut split = "heldout"
)

// Generate makes a corpus. Domains take turns, all of them at one grade and then at the next, so that any run of consecutive items is balanced
// over them; the letters of the answers are balanced within each domain and grade. It fails on an unknown domain and on a domain that has
// fewer distinct items than asked.
func Generate(o Options) (*Corpus, error) {
	selected, err := selectDomains(o.Domains, len(o.Grades) > 0)
	if err != nil {
		return nil, err
	}
	chosen, err := lanes(selected, o.Grades)
	if err != nil {
		return nil, err
	}
	c := &Corpus{Seed: o.Seed, Grades: o.Grades}
	if c.Train, err = generateSplit(chosen, o.Seed, train, count(o.Train, DefaultTrain)); err != nil {
		return nil, err
	}
	if c.HeldOut, err = generateSplit(chosen, o.Seed, heldOut, count(o.HeldOut, DefaultHeldOut)); err != nil {
		return nil, err
	}
	return c, nil
}

func count(asked, byDefault int) int {
	if asked == 0 {
		return byDefault
	}
	return max(asked, 0)
}

func generateSplit(chosen []lane, seed uint64, s split, total int) ([]corpus.Item, error) {
	items := make([]corpus.Item, total)
	errs := make([]error, len(chosen))
	var domains sync.WaitGroup
	for turn, d := range chosen {
		domains.Go(func() {
			errs[turn] = fill(items, turn, len(chosen), d, seed, s)
		})
	}
	domains.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

// fill writes the domain's items to every stride-th place from the first on: its first distinct indices, in order.
func fill(items []corpus.Item, first, stride int, d lane, seed uint64, s split) error {
	wanted := (len(items) - first + stride - 1) / stride
	// A domain that yields less than one new item in so many indices has next to no more of them.
	const patience = 1000
	seen := make(map[corpus.Fingerprint]struct{}, max(wanted, 0))
	index, repeats := 0, 0
	for place := first; place < len(items); index++ {
		item, err := generateItem(d, seed, s, index)
		if err != nil {
			return err
		}
		print := item.Fingerprint()
		if _, again := seen[print]; again {
			if repeats++; repeats > patience {
				return fmt.Errorf("corpus: domain %s has about %d distinct items in split %s, %d were asked for: ask for fewer items or leave the domain out",
					d.label(), len(seen), s, wanted)
			}
			continue
		}
		repeats = 0
		seen[print] = struct{}{}
		items[place] = item
		place += stride
	}
	return nil
}

// generateItem is item `index` of a domain's split: a function of its arguments alone.
func generateItem(d lane, seed uint64, s split, index int) (corpus.Item, error) {
	r := stream(seed, d.Name(), s, d.purpose("item"), index)
	// A draw is in the held-out split with probability 1/heldOutOneIn; missing it so often cannot be chance.
	const maxDraws = 10_000
	for range maxDraws {
		draft := d.draw(r)
		if splitOf(d, draft.Key) != s {
			continue
		}
		item := corpus.Item{
			ID:       d.id(s, index),
			Grade:    d.grade,
			Domain:   d.Name(),
			STEM:     d.STEM(),
			Question: draft.Question,
			Source:   "generator:" + strconv.FormatUint(seed, 10) + ":" + strconv.Itoa(index),
		}
		letter(&item, draft, answerLetter(seed, d, s, index), r)
		return item, nil
	}
	return corpus.Item{}, fmt.Errorf("corpus: domain %s drew nothing for split %s in %d attempts: its keys hardly vary", d.label(), s, maxDraws)
}

// letter puts the right choice at `answer`, the wrong ones around it in random order, and writes the analysis in the
// order of the letters.
func letter(item *corpus.Item, draft Draft, answer int, r *rand.Rand) {
	choices := draft.Wrong[:]
	r.Shuffle(len(choices), func(i, j int) { choices[i], choices[j] = choices[j], choices[i] })
	choices = slices.Insert(choices, answer, draft.Right)
	item.Answer = answer
	item.Options = make([]string, len(choices))
	var analysis strings.Builder
	for i, choice := range choices {
		item.Options[i] = choice.Text
		verdict := " is wrong: "
		if i == answer {
			verdict = " is right: "
		}
		if i > 0 {
			analysis.WriteByte(' ')
		}
		analysis.WriteString(corpus.Letter(i))
		analysis.WriteString(verdict)
		analysis.WriteString(choice.Why)
		analysis.WriteByte('.')
	}
	item.Analysis = analysis.String()
}

// answerLetter balances the answers: in every four consecutive indices each letter is right once, in random order.
func answerLetter(seed uint64, d lane, s split, index int) int {
	const letters = 4
	order := [letters]int{0, 1, 2, 3}
	r := stream(seed, d.Name(), s, d.purpose("letters"), index/letters)
	r.Shuffle(letters, func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order[index%letters]
}

// splitOf says where a combination belongs. It is the same for every seed, so that what one seed trains on, no other
// seed's held-out split asks.
func splitOf(d Domain, key string) split {
	h := fnv.New64a()
	h.Write([]byte(d.Name()))
	h.Write([]byte{0})
	h.Write([]byte(key))
	if mix(h.Sum64())%heldOutOneIn == 0 {
		return heldOut
	}
	return train
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): the low bits of FNV-1a alone are too regular to split by.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// stream is the random stream of one purpose at one place: PCG seeded by SHA-256 of what names it.
func stream(seed uint64, domain string, s split, purpose string, index int) *rand.Rand {
	name := make([]byte, 0, 96)
	name = append(name, "attune/corpus/1/"...)
	name = strconv.AppendUint(name, seed, 10)
	name = append(name, '/')
	name = append(name, domain...)
	name = append(name, '/')
	name = append(name, s...)
	name = append(name, '/')
	name = append(name, purpose...)
	name = append(name, '/')
	name = strconv.AppendInt(name, int64(index), 10)
	sum := sha256.Sum256(name)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))
}
