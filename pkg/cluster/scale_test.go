package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/store"
)

// TestManyPartsAreUnited unites 2,400 results of 20 parts and 12 arms, or with ATTUNE_SCALE=1 a million of a thousand parts, checks included, which may take 30 s and 1 GB.
func TestManyPartsAreUnited(t *testing.T) {
	const arms = 12
	parts, each := 20, 10
	if os.Getenv("ATTUNE_SCALE") != "" {
		parts, each = 1000, 84
	}
	s := submissionOf(t, Submission{Parts: parts, Engine: Local})
	for part := 1; part <= parts; part++ {
		r, err := s.StartPart(part)
		if err != nil {
			t.Fatal(err)
		}
		results, err := s.PartStore(part)
		if err != nil {
			t.Fatal(err)
		}
		a := Answered{Of: parts * each}
		var records []store.Record
		for i := range each {
			item := fmt.Sprintf("%064x", (part-1)*each+i)
			a.Items = append(a.Items, item)
			records = append(records, store.Record{Item: item, Data: json.RawMessage(`{"scores":[-1.25,-2.5,-3.75,-5],"pick":0}`)})
		}
		for arm := range arms {
			job := store.Job{Kind: "choices", Code: "c", Model: "m", Numerics: "go", Prompt: fmt.Sprint(arm)}
			a.Jobs = append(a.Jobs, job.Key())
			w, err := results.Writer(job, r.Attempt())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Put(records...); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r.now.Device = "go"
		if err := r.Finish([]Answered{a}); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	u, err := s.Merge()
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d results of %d parts: %.2f s, %d MB from the system", u.Records, parts, took.Seconds(), memory.Sys>>20)
	if u.Jobs != arms || u.Records != parts*each*arms || took > 30*time.Second || memory.Sys > 1<<30 {
		t.Errorf("%+v in %v with %d MB, expected %d results within 30 s and 1 GB", u.Merged, took, memory.Sys>>20, parts*each*arms)
	}
	if again, err := s.Merge(); err != nil || again.Records != 0 {
		t.Errorf("merged again: %+v, %v: expected nothing new", again, err)
	}
}
