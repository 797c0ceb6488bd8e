package corpus

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func openTest(t *testing.T, items int) *Stream {
	t.Helper()
	var files []string
	c := gradedCorpus(t)
	for i, name := range []string{"a.jsonl", "b.jsonl"} {
		var lines bytes.Buffer
		if err := WriteJSONL(&lines, c.Train[i*items:(i+1)*items]); err != nil {
			t.Fatal(err)
		}
		files = append(files, writeFile(t, name, lines.String()))
	}
	s, tally, err := OpenStream(StreamOptions{}, files...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if s.Len() != 2*items || tally.Good != 2*items {
		t.Fatalf("%d rows, %d good ones, expected %d", s.Len(), tally.Good, 2*items)
	}
	return s
}

func TestStreamReadsWhatIsInTheFiles(t *testing.T) {
	s := openTest(t, 200)
	for i, item := range gradedCorpus(t).Train[:400] {
		row, err := s.Row(i)
		if err != nil {
			t.Fatal(err)
		}
		if row.Text["id"] != item.ID || !reflect.DeepEqual(row.Lists["options"], item.Options) || row.Line != i%200+1 {
			t.Fatalf("row %d is %+v, expected %s", i, row, item.ID)
		}
	}
}

func TestShuffledStreamGoesOnInTheMiddleOfAnEpoch(t *testing.T) {
	s := openTest(t, 50)
	const rows = 270 // two epochs of 100 and a part
	r := s.Shuffled(9)
	var ids []string
	var states [][]byte
	for range rows {
		state, err := json.Marshal(r.State())
		if err != nil {
			t.Fatal(err)
		}
		row, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		ids, states = append(ids, row.ID()), append(states, state)
	}
	for epoch := range 2 {
		seen := make(map[string]bool)
		for _, id := range ids[epoch*100 : (epoch+1)*100] {
			seen[id] = true
		}
		if len(seen) != 100 {
			t.Errorf("epoch %d shows %d rows of 100", epoch, len(seen))
		}
	}
	if reflect.DeepEqual(ids[:100], ids[100:200]) {
		t.Error("two epochs have one order")
	}
	for at := 0; at < rows-5; at += 13 {
		var state StreamState
		if err := json.Unmarshal(states[at], &state); err != nil {
			t.Fatal(err)
		}
		again := s.Shuffled(9)
		if err := again.Resume(state); err != nil {
			t.Fatal(err)
		}
		for k := range 5 {
			if row, err := again.Next(); err != nil || row.ID() != ids[at+k] {
				t.Fatalf("resumed at %d, row %d is %s (%v), expected %s", at, at+k, row.ID(), err, ids[at+k])
			}
		}
	}
	if err := s.Shuffled(8).Resume(r.State()); err == nil || !strings.Contains(err.Error(), "seed 9") {
		t.Errorf("another seed: %v, expected a refusal", err)
	}
	if err := openTest(t, 51).Shuffled(9).Resume(r.State()); err == nil {
		t.Error("a place in other content was accepted")
	}
}

func TestStreamLeavesBadRowsOutWhenItOpens(t *testing.T) {
	content := "\ufeff" + `{"question":"q","options":["x","y"],"letter":"A"}` + "\n\n" + `{"question":"q"}` + "\n{\n" + `{"question":"r","options":["x","y"],"letter":"B"}`
	path := writeFile(t, "x.jsonl", content)
	if _, _, err := OpenStream(StreamOptions{Template: ItemTemplate}, path); err == nil || !strings.Contains(err.Error(), "x.jsonl:3") {
		t.Errorf("error %v, expected one at line 3", err)
	}
	s, tally, err := OpenStream(StreamOptions{Template: ItemTemplate, OnBad: SetAside}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := tally.Counts(), map[Fault]int{MissingField: 1, OpenSection: 1}; s.Len() != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows, bad ones %v, expected 2 and %v", s.Len(), got, want)
	}
	if row, err := s.Row(1); err != nil || row.Text["question"] != "r" || row.Line != 5 {
		t.Errorf("row 1 is %+v, %v", row, err)
	}
}
