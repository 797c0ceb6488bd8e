package train

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestPackedRowsHoldDocumentsAsTheyAre(t *testing.T) {
	docs := []Document{
		{Tokens: []int32{1, 10, 11}, Weights: []float32{0, 0, 1}},
		{Tokens: []int32{1, 20, 21, 22, 23}},
		{Tokens: []int32{1, 30}, Weights: []float32{5, 0.5}},
	}
	p, err := Pack(docs, 6)
	if err != nil {
		t.Fatal(err)
	}
	want := &Packed{
		Rows: 2, Width: 6,
		Tokens:    []int32{1, 20, 21, 22, 1, 10, 1, 0, 0, 0, 0, 0},
		Labels:    []int32{20, 21, 22, 23, 10, 11, 30, 0, 0, 0, 0, 0},
		Weights:   []float32{1, 1, 1, 1, 0, 1, 0.5, 0, 0, 0, 0, 0},
		Positions: []int32{0, 1, 2, 3, 0, 1, 0, 0, 0, 0, 0, 0},
		Segments:  []int32{1, 1, 1, 1, 2, 2, 1, 0, 0, 0, 0, 0},
		Documents: [][]int{{1, 0}, {2}},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("packed\n%+v\nexpected\n%+v", p, want)
	}
	if got := p.Filled(); got != 7.0/12 {
		t.Errorf("filled %v, expected 7/12", got)
	}
}

func randomDocuments(n, longest int) []Document {
	r := rand.New(rand.NewPCG(1, 1))
	docs := make([]Document, n)
	for i := range docs {
		docs[i].Tokens = make([]int32, 2+r.IntN(longest-1))
		for k := range docs[i].Tokens {
			docs[i].Tokens[k] = int32(i) // a document's tokens are its number
		}
	}
	return docs
}

func TestPackingLosesNothingAndWastesLittle(t *testing.T) {
	docs := randomDocuments(3000, 120)
	p, err := Pack(docs, 512)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]int, len(docs))
	for i, s := range p.Segments {
		if s != 0 {
			found[p.Tokens[i]]++
			if p.Labels[i] != p.Tokens[i] {
				t.Fatalf("place %d: the label is of document %d, the token of %d", i, p.Labels[i], p.Tokens[i])
			}
		}
	}
	for i, d := range docs {
		if found[i] != d.inputs() {
			t.Fatalf("document %d has %d places, expected %d", i, found[i], d.inputs())
		}
	}
	if p.Filled() < 0.99 {
		t.Errorf("%.4f of the places are filled, expected 0.99 or more", p.Filled())
	}
}

// TestRoomsFindTheTightestRow compares with looking at all of them.
func TestRoomsFindTheTightestRow(t *testing.T) {
	const width = 200
	r := rand.New(rand.NewPCG(3, 3))
	open, all := newRooms(width), map[int]int{}
	for step := range 5000 {
		n := 1 + r.IntN(width)
		best := width + 1
		for _, room := range all {
			if room >= n && room < best {
				best = room
			}
		}
		row, room := open.take(n)
		if row < 0 {
			if best <= width {
				t.Fatalf("step %d: no row for %d, though one has room %d", step, n, best)
			}
			row, room = len(all)+10_000*step, width
		} else if room != best || all[row] != room {
			t.Fatalf("step %d: row %d of room %d for %d, expected room %d", step, row, room, n, best)
		}
		delete(all, row)
		if room > n {
			all[row] = room - n
		}
		open.put(row, room-n)
	}
}

func TestPackingNamesWhatItCannotPack(t *testing.T) {
	for name, bad := range map[string]Document{
		"one token": {Tokens: []int32{1}},
		"too long":  {Tokens: make([]int32, 12)},
		"weights":   {Tokens: []int32{1, 2}, Weights: []float32{1}},
	} {
		_, err := Pack([]Document{{Tokens: []int32{1, 2}}, bad}, 10)
		if err == nil || !strings.Contains(err.Error(), "document 1") {
			t.Errorf("%s: %v, expected an error that names document 1", name, err)
		}
	}
}

func newFeed(t *testing.T, o FeedOptions) *Feed {
	t.Helper()
	f, err := NewFeed(Memory(randomDocuments(501, 40)), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFeedShowsEveryDocumentOnceAnEpoch(t *testing.T) {
	f := newFeed(t, FeedOptions{Width: 64, Rows: 1, Window: 100, Seed: 5, Epochs: 2})
	seen := make([]int, 501)
	for {
		p, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			break
		}
		for i, s := range p.Segments {
			if s != 0 && p.Positions[i] == 0 {
				seen[p.Tokens[i]]++
			}
		}
	}
	for i, n := range seen {
		if n != 2 {
			t.Errorf("document %d was shown %d times in 2 epochs", i, n)
		}
	}
}

// TestFeedGoesOnFromAnyPlace resumes from the JSON of the state after each batch, in the middle of windows and across epochs.
func TestFeedGoesOnFromAnyPlace(t *testing.T) {
	o := FeedOptions{Width: 64, Rows: 7, Window: 100, Seed: 5}
	const batches = 60
	var states [][]byte
	var shown []*Packed
	f := newFeed(t, o)
	for range batches {
		state, err := json.Marshal(f.State())
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		states, shown = append(states, state), append(shown, p)
	}
	if f.State().Epoch < 2 {
		t.Fatalf("%d batches reach epoch %d, expected 2 or more", batches, f.State().Epoch)
	}
	for i := 0; i < batches-1; i += 3 {
		var state FeedState
		if err := json.Unmarshal(states[i], &state); err != nil {
			t.Fatal(err)
		}
		again := newFeed(t, o)
		if err := again.Resume(state); err != nil {
			t.Fatal(err)
		}
		for k := range 2 {
			p, err := again.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(p, shown[i+k]) {
				t.Fatalf("resumed at batch %d, batch %d differs", i, i+k)
			}
		}
	}
}

func TestFeedRefusesAForeignPlace(t *testing.T) {
	f := newFeed(t, FeedOptions{Width: 64, Rows: 2, Seed: 5})
	for name, change := range map[string]func(*FeedState){
		"seed": func(s *FeedState) { s.Seed++ }, "documents": func(s *FeedState) { s.Documents-- },
		"width": func(s *FeedState) { s.Width++ }, "window": func(s *FeedState) { s.At = 99 },
	} {
		s := f.State()
		change(&s)
		if err := f.Resume(s); err == nil || !strings.Contains(err.Error(), "resuming a feed") {
			t.Errorf("%s: %v, expected a refusal", name, err)
		}
	}
}

func TestFeedOrderDependsOnTheSeed(t *testing.T) {
	first := func(seed uint64) []int32 {
		p, err := newFeed(t, FeedOptions{Width: 64, Rows: 2, Seed: seed}).Next()
		if err != nil {
			t.Fatal(err)
		}
		return p.Tokens
	}
	if slices.Equal(first(1), first(2)) || !slices.Equal(first(1), first(1)) {
		t.Error("the first batch does not follow from the seed")
	}
}

func TestDocumentsWithoutWeightAreLeftOut(t *testing.T) {
	nothing := Document{Tokens: []int32{1, 2, 3}, Weights: []float32{1, 0, 0}}
	f, err := NewFeed(Memory{nothing, {Tokens: []int32{1, 7}}, nothing}, FeedOptions{Width: 4, Rows: 1, Window: 1, Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Next()
	if err != nil || !slices.Equal(p.Labels, []int32{7, 0, 0, 0}) {
		t.Errorf("labels %v, %v, expected those of the one document that counts", p, err)
	}
	if p, err = f.Next(); p != nil || err != nil {
		t.Errorf("after the epoch: %v, %v", p, err)
	}
	f, err = NewFeed(Memory{nothing, nothing}, FeedOptions{Width: 4, Rows: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Next(); err == nil || !strings.Contains(err.Error(), "loss mask") {
		t.Errorf("error %v, expected one about the loss mask", err)
	}
}

func ExamplePack() {
	p, err := Pack([]Document{{Tokens: []int32{1, 7, 8}}, {Tokens: []int32{1, 9}}}, 4)
	if err != nil {
		panic(err)
	}
	fmt.Println("tokens   ", p.Tokens)
	fmt.Println("labels   ", p.Labels)
	fmt.Println("positions", p.Positions)
	fmt.Println("segments ", p.Segments)
	// Output:
	// tokens    [1 7 1 0]
	// labels    [7 8 9 0]
	// positions [0 1 0 0]
	// segments  [1 1 2 0]
}
