package tokenizer

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// randomBPE is a byte-fallback model over a few characters with random merges, ▁ among them.
func randomBPE(t testing.TB, r *rand.Rand, unknown bool) *bpe {
	spec := &bpeSpec{Vocab: map[string]int{"▁": 0, "a": 1, "b": 2, "c": 3}, ByteFallback: true, FuseUnk: r.IntN(2) == 0}
	if unknown {
		spec.UnkToken = new(string)
		*spec.UnkToken = "<unk>"
		spec.Vocab["<unk>"] = 4
	}
	texts := []string{"▁", "a", "b", "c"}
	var merges [][2]string
	for range 12 {
		left, right := texts[r.IntN(len(texts))], texts[r.IntN(len(texts))]
		merges = append(merges, [2]string{left, right})
		if _, ok := spec.Vocab[left+right]; !ok {
			spec.Vocab[left+right] = 10 + len(texts)
			texts = append(texts, left+right)
		}
	}
	spec.Merges, _ = json.Marshal(merges)
	m, err := newBPE(spec, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// naive merges by the definition: again and again the adjacent pair of lowest rank, the leftmost of them.
func naive(m *bpe, word string) []unit {
	var units []unit
	for _, s := range m.first(word, nil) {
		units = append(units, s.unit)
	}
	for {
		at, best := -1, merge{}
		for i := 1; i < len(units); i++ {
			if found, ok := m.merges.get(units[i-1].id, units[i].id); ok && (at < 0 || found.rank < best.rank) {
				at, best = i, found
			}
		}
		if at < 0 {
			return units
		}
		units[at-1] = unit{best.id, units[at-1].start, units[at].end}
		units = slices.Delete(units, at, at+1)
	}
}

func randomWord(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(30) {
		b.WriteString([]string{"▁", "a", "b", "c", "é"}[r.IntN(5)])
	}
	return b.String()
}

func TestMergesAreThoseOfTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	cut := 0
	for range 300 {
		m := randomBPE(t, r, r.IntN(2) == 0)
		if m.boundary {
			cut++
		}
		for range 20 {
			word := randomWord(r)
			// Twice: computed, then from the cache. With boundary the word is cut before ▁, which must change nothing.
			for range 2 {
				if got, want := m.encode(word, nil), naive(m, word); !slices.Equal(got, want) {
					t.Fatalf("%q: got %v, want %v", word, got, want)
				}
			}
		}
	}
	if cut == 0 || cut == 300 {
		t.Errorf("%d of 300 models could be cut at ▁; the test wants both kinds", cut)
	}
}

func TestMergingALongWordIsNotQuadratic(t *testing.T) {
	m := randomBPE(t, rand.New(rand.NewPCG(5, 6)), false)
	word := strings.Repeat("abcab", 200_000)
	start := time.Now()
	m.encode(word, nil)
	// A million characters take a fraction of a second; the definition's way would take hours.
	if took := time.Since(start); took > testlimit.TimeSlack*20*time.Second {
		t.Errorf("%d bytes took %v", len(word), took)
	}
}

func TestCachedWordsDoNotChange(t *testing.T) {
	m := randomBPE(t, rand.New(rand.NewPCG(7, 8)), false)
	units := m.encode("abc", nil)
	want := slices.Clone(units)
	for i := range units {
		units[i] = unit{-7, -7, -7} // a caller's slice is its own
	}
	if got := m.encode("abc", nil); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// A word that begins later in a text has later offsets, and leaves the cached ones alone.
	m.boundary = true
	m.encode("abc▁abc", nil)
	if got := m.encode("abc", nil); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMergeTableKeepsTheLastOfEqualPairs(t *testing.T) {
	table := newMergeTable(3)
	table.put(0, 0, merge{1, 10})
	table.put(1, 0, merge{2, 11})
	table.put(0, 0, merge{3, 12})
	if m, ok := table.get(0, 0); !ok || m != (merge{3, 12}) {
		t.Errorf("got %v %v", m, ok)
	}
	if _, ok := table.get(0, 1); ok {
		t.Error("found a pair that is not there")
	}
}

// TestUnknownNeighbours: fuse_unk joins unknown characters in a row, without it each stands alone.
func TestUnknownNeighbours(t *testing.T) {
	unk := "<unk>"
	for _, fuse := range []bool{true, false} {
		m, err := newBPE(&bpeSpec{Vocab: map[string]int{unk: 0, "a": 1}, UnkToken: &unk, FuseUnk: fuse, Merges: []byte("[]")}, false)
		if err != nil {
			t.Fatal(err)
		}
		want := []unit{{1, 0, 1}, {0, 1, 3}, {0, 3, 5}, {1, 5, 6}, {0, 6, 7}}
		if fuse {
			want = []unit{{1, 0, 1}, {0, 1, 5}, {1, 5, 6}, {0, 6, 7}}
		}
		if got := m.encode("aéüax", nil); !slices.Equal(got, want) {
			t.Errorf("fuse %v: got %v, want %v", fuse, got, want)
		}
	}
}
