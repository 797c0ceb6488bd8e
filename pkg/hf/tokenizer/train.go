package tokenizer

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"unicode/utf8"
)

// The special tokens of a trained tokenizer; their ids are 0 to 3.
const (
	trainedBOS     = "<s>"
	trainedEOS     = "</s>"
	trainedUnknown = "<unk>" // never produced: every byte has an id. Tools expect it to exist.
	trainedPad     = "<pad>"
)

// TrainOptions are the options of [TrainBPE]. The zero value is a vocabulary of 4,096 that adds <s> in front of a text.
type TrainOptions struct {
	// VocabSize counts special tokens, the 256 bytes and the merges; 0 means 4096. Training stops short of it where
	// no pair occurs often enough.
	VocabSize int
	// MinCount is how often a pair must occur to be merged; 0 means 2.
	MinCount int
	// Special holds special tokens beside <s>, </s>, <unk> and <pad>; their ids follow, in order.
	Special []string
	// NoBOS leaves the post-processor out: Encode then adds nothing.
	NoBOS bool
	// JoinDigits lets tokens hold several digits. By default each digit is a token, so that equal numbers are always
	// written alike (Singh and Strouse 2024, arXiv 2402.14903, on what that does for arithmetic).
	JoinDigits bool
}

// TrainBPE trains a byte-level BPE: starting from single bytes, the adjacent pair that occurs most often is merged into a token, again and
// again. Pairs are counted within words as GPT-2's pattern cuts them (after single digits, see JoinDigits). Of equally
// frequent pairs the one of lower ids is taken, so that the same texts in any order give the same tokenizer on every machine.
func TrainBPE(texts iter.Seq[string], options TrainOptions) (*Tokenizer, error) {
	if options.VocabSize == 0 {
		options.VocabSize = 4096
	}
	if options.MinCount == 0 {
		options.MinCount = 2
	}
	special := append([]string{trainedBOS, trainedEOS, trainedUnknown, trainedPad}, options.Special...)
	if least := len(special) + 256; options.VocabSize < least {
		return nil, fmt.Errorf("tokenizer: training: found a vocabulary size of %d, expected at least %d (special tokens and 256 bytes)", options.VocabSize, least)
	}
	if options.MinCount < 1 {
		return nil, fmt.Errorf("tokenizer: training: found a minimum count of %d, expected at least 1", options.MinCount)
	}
	for i, token := range special {
		// One character alone would be mistaken for a byte's entry.
		if utf8.RuneCountInString(token) < 2 || !utf8.ValidString(token) || slices.Contains(special[:i], token) {
			return nil, fmt.Errorf("tokenizer: training: found special token %q, expected each once, of at least two characters", token)
		}
	}
	cut := preTokenizerSequence{byteLevel{useRegex: true}}
	if !options.JoinDigits {
		cut = slices.Insert(cut, 0, preTokenizer(splitter{find: mustCompile(`\p{N}`), how: isolated}))
	}
	counts := map[string]int{}
	for text := range texts {
		if text != "" {
			cut.split(piece{text: text}, func(word piece) { counts[word.text]++ })
		}
	}
	if len(counts) == 0 {
		return nil, errors.New("tokenizer: training: found no text")
	}
	tr := newTrainer(special, counts)
	tr.train(options.VocabSize, options.MinCount)
	source, settings := tr.export(len(special), options)
	return Parse(source, settings)
}

// pair is two adjacent tokens.
type pair struct{ left, right int32 }

// trainWord is a distinct word of the texts.
type trainWord struct {
	symbols []int32
	count   int
}

// trainer holds the state of a training. Token texts of special tokens are as they are, of all others raw bytes.
type trainer struct {
	tokens  []string
	special map[string]bool
	ids     map[string]int32 // of tokens that are not special
	merges  []pair
	words   []trainWord
	counts  map[pair]int
	where   map[pair][]int32 // words that held the pair at some time
	queue   pairQueue
}

func newTrainer(special []string, counts map[string]int) *trainer {
	tr := &trainer{special: map[string]bool{}, ids: map[string]int32{}, counts: map[pair]int{}, where: map[pair][]int32{}}
	for _, token := range special {
		tr.special[token] = true
		tr.tokens = append(tr.tokens, token)
	}
	for b := range 256 {
		tr.enter(string([]byte{byte(b)}))
	}
	// A map's order must not reach the result.
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		w := trainWord{count: counts[text]}
		for i := range len(text) {
			w.symbols = append(w.symbols, tr.ids[text[i:i+1]])
		}
		index := int32(len(tr.words))
		tr.words = append(tr.words, w)
		tr.tally(index, 1, nil)
	}
	for p, count := range tr.counts {
		tr.queue = append(tr.queue, pairCount{p, count})
	}
	heap.Init(&tr.queue)
	return tr
}

func (tr *trainer) enter(text string) int32 {
	id := int32(len(tr.tokens))
	tr.tokens = append(tr.tokens, text)
	tr.ids[text] = id
	return id
}

// tally adds (sign 1) or takes away (sign -1) the pairs of a word and notes them in touched.
func (tr *trainer) tally(index int32, sign int, touched map[pair]bool) {
	w := &tr.words[index]
	for i := 1; i < len(w.symbols); i++ {
		p := pair{w.symbols[i-1], w.symbols[i]}
		tr.counts[p] += sign * w.count
		if touched != nil {
			touched[p] = true
		}
		if list := tr.where[p]; sign > 0 && (len(list) == 0 || list[len(list)-1] != index) {
			tr.where[p] = append(list, index)
		}
	}
}

func (tr *trainer) train(size, least int) {
	for len(tr.tokens) < size && tr.queue.Len() > 0 {
		top := heap.Pop(&tr.queue).(pairCount)
		if now := tr.counts[top.pair]; now != top.count {
			// Counts change while a pair waits; a pair that shrank goes back to its place.
			if now > 0 {
				heap.Push(&tr.queue, pairCount{top.pair, now})
			}
			continue
		}
		if top.count < least {
			return
		}
		text := tr.tokens[top.left] + tr.tokens[top.right]
		if tr.special[charsOf(text)] {
			continue // the vocabulary would have two entries of one spelling
		}
		// Two ways to the same text share its token.
		id, known := tr.ids[text]
		if !known {
			id = tr.enter(text)
		}
		tr.merges = append(tr.merges, top.pair)
		tr.apply(top.pair, id)
	}
}

// apply merges a pair in every word that holds it.
func (tr *trainer) apply(p pair, id int32) {
	touched := map[pair]bool{}
	words := tr.where[p]
	delete(tr.where, p)
	for _, index := range words {
		w := &tr.words[index]
		if !w.holds(p) {
			continue
		}
		tr.tally(index, -1, touched)
		merged := w.symbols[:0]
		for i := 0; i < len(w.symbols); i++ {
			if i+1 < len(w.symbols) && w.symbols[i] == p.left && w.symbols[i+1] == p.right {
				merged = append(merged, id)
				i++
			} else {
				merged = append(merged, w.symbols[i])
			}
		}
		w.symbols = merged
		tr.tally(index, 1, touched)
	}
	for changed := range touched {
		if count := tr.counts[changed]; count > 0 {
			heap.Push(&tr.queue, pairCount{changed, count})
		} else {
			delete(tr.counts, changed)
			delete(tr.where, changed)
		}
	}
}

func (w *trainWord) holds(p pair) bool {
	for i := 1; i < len(w.symbols); i++ {
		if w.symbols[i-1] == p.left && w.symbols[i] == p.right {
			return true
		}
	}
	return false
}

// pairCount is a pair with its count when it was queued.
type pairCount struct {
	pair
	count int
}

// pairQueue is a heap: the most frequent pair first, of equals that of lower ids.
type pairQueue []pairCount

func (q pairQueue) Len() int      { return len(q) }
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q pairQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right)) < 0
}
func (q *pairQueue) Push(x any) { *q = append(*q, x.(pairCount)) }
func (q *pairQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
