package store_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/store"
)

// A run that continues loads what is known and computes the rest.
func Example() {
	s := store.Fresh()
	defer s.Close()
	job := store.Job{Kind: "choices", Code: "hash of the sources", Model: "hash of the weights", Arm: json.RawMessage(`{"alpha":0.2}`), Numerics: "go float32"}
	for _, run := range []string{"first", "second"} {
		known, err := s.Load(job)
		if err != nil {
			log.Fatal(err)
		}
		w, err := s.Writer(job, run)
		if err != nil {
			log.Fatal(err)
		}
		for _, item := range []string{"a", "b"} {
			if r, ok := known[item]; ok {
				fmt.Printf("%s: %s is known from %s: %s\n", run, item, r.Run, r.Data)
				continue
			}
			if err := w.Put(store.Record{Item: item, Data: json.RawMessage(`[-0.5,-1.5]`)}); err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%s: %s is computed\n", run, item)
		}
		if err := w.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// first: a is computed
	// first: b is computed
	// second: a is known from first: [-0.5,-1.5]
	// second: b is known from first: [-0.5,-1.5]
}
