package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestPartsDivideEveryItemOnce(t *testing.T) {
	const of, items = 7, 7000
	var sizes [of]int
	for i := range items {
		in := 0
		for p := 1; p <= of; p++ {
			if (Part{p, of}).Has(fmt.Sprint(i)) {
				in++
				sizes[p-1]++
			}
		}
		if in != 1 || !(Part{}).Has(fmt.Sprint(i)) {
			t.Fatalf("item %d is in %d parts", i, in)
		}
	}
	for p, n := range sizes {
		if n < 850 || n > 1150 {
			t.Errorf("part %d has %d of %d items, expected about %d", p+1, n, items, items/of)
		}
	}
	for text, want := range map[string]Part{"3/64": {3, 64}, "1/1": {1, 1}} {
		if got, err := ParsePart(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0/4", "5/4", "3", "a/b", "-1/2", "1/2/3"} {
		if _, err := ParsePart(text); err == nil {
			t.Errorf("%q is a part", text)
		}
	}
}

func TestMergeIsTheUnion(t *testing.T) {
	to, a, b := fresh(t), fresh(t), fresh(t)
	put(t, to, job, "before", record("a", "1"))
	put(t, a, job, "part-1", record("a", "1"), record("b", "2"))
	put(t, b, job, "part-2", record("c", `{"x": 3}`))
	if _, err := b.Blob(Job{Kind: "survey", Code: "c", Model: "m", Numerics: "n"}, func(path string) error { return os.WriteFile(path, []byte("s"), 0o644) }); err != nil {
		t.Fatal(err)
	}
	merged, err := to.Merge("cluster", a, b)
	if err != nil || merged != (Merged{Jobs: 2, Records: 2, Blobs: 1}) {
		t.Fatalf("merged %+v, %v", merged, err)
	}
	want := `map[a:{a 1 before} b:{b 2 cluster} c:{c {"x":3} cluster}]`
	show := func() string {
		out := map[string]string{}
		for item, r := range load(t, to, job) {
			out[item] = fmt.Sprintf("{%s %s %s}", r.Item, r.Data, r.Run)
		}
		return fmt.Sprint(out)
	}
	if got := show(); got != want {
		t.Errorf("the union is %s, expected %s", got, want)
	}
	if merged, err = to.Merge("cluster", a, b); err != nil || merged.Records != 0 || merged.Blobs != 0 || show() != want {
		t.Errorf("merging again adds %+v, %v", merged, err)
	}
	put(t, a, job, "part-1", record("d", "4")) // a part that was resumed
	if merged, err = to.Merge("cluster", a, b); err != nil || merged.Records != 1 || len(load(t, to, job)) != 4 {
		t.Errorf("one more record: %+v, %v", merged, err)
	}
}

func TestMergeRefusesUnequalResults(t *testing.T) {
	to, a, b := fresh(t), fresh(t), fresh(t)
	put(t, a, job, "part-1-j7", record("a", "1"))
	put(t, b, job, "part-2-j8", record("b", "2"), record("a", "1.5"))
	_, err := to.Merge("cluster", a, b)
	for _, want := range []string{"part-1-j7", "part-2-j8", "item a", "unequal"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %q", err, want)
		}
	}
	if got := load(t, to, job); len(got) != 0 {
		t.Errorf("something was merged all the same: %v", got)
	}
	survey := Job{Kind: "survey", Code: "c", Model: "m", Numerics: "n"}
	for i, s := range []*Store{a, b} {
		if _, err := s.Blob(survey, func(path string) error { return os.WriteFile(path, []byte{byte(i)}, 0o644) }); err != nil {
			t.Fatal(err)
		}
	}
	os.RemoveAll(b.folder(job.Key()))
	if _, err := to.Merge("cluster", a, b); err == nil || !strings.Contains(err.Error(), a.Dir()) && !strings.Contains(err.Error(), b.Dir()) {
		t.Errorf("blobs that differ: %v", err)
	}
}

func TestStoresBelowAreReadOnly(t *testing.T) {
	below, s := fresh(t), fresh(t)
	put(t, below, job, "r", record("a", "1"))
	survey := Job{Kind: "survey", Code: "c", Model: "m", Numerics: "n"}
	path, err := below.Blob(survey, func(path string) error { return os.WriteFile(path, nil, 0o644) })
	if err != nil {
		t.Fatal(err)
	}
	over := s.Over(below)
	put(t, over, job, "r", record("b", "2"))
	if got := load(t, over, job); len(got) != 2 {
		t.Errorf("%d records, expected one of each store", len(got))
	}
	if got := load(t, below, job); len(got) != 1 {
		t.Errorf("the store below has %d records, expected its own", len(got))
	}
	again, err := over.Blob(survey, func(string) error { return errors.New("made again") })
	if err != nil || again != path {
		t.Errorf("the blob is at %s, %v, expected %s", again, err, path)
	}
}

// TestManyPartsMerge unites the records of many parts: 20,000 in 200, or with ATTUNE_SCALE=1 a million in a thousand, which may take 30 s and 1 GB.
func TestManyPartsMerge(t *testing.T) {
	parts, each := 200, 100
	if os.Getenv("ATTUNE_SCALE") != "" {
		parts, each = 1000, 1000
	}
	dir := t.TempDir()
	var from []*Store
	for p := range parts {
		s, err := Open(filepath.Join(dir, fmt.Sprint(p)))
		if err != nil {
			t.Fatal(err)
		}
		writePart(t, s, fmt.Sprintf("part-%d", p), p*each, each)
		from = append(from, s)
	}
	to := fresh(t)
	start := time.Now()
	merged, err := to.Merge("cluster", from...)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d records in %d parts: %.2f s, %d MB from the system", merged.Records, parts, took.Seconds(), memory.Sys>>20)
	if merged.Records != parts*each || took > 30*time.Second || memory.Sys > 1<<30 {
		t.Errorf("%d records in %v with %d MB, expected %d within 30 s and 1 GB", merged.Records, took, memory.Sys>>20, parts*each)
	}
}
