package cluster_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/cluster"
)

// A submission is a directory: whoever opens it sees how its parts are, and may hand those that are not done to the engine.
func Example() {
	parent, err := os.MkdirTemp("", "submission-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "run")
	s, err := cluster.Begin(dir, cluster.Submission{Recipe: "quickstart", Parts: 2, Engine: cluster.Local})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Save(); err != nil {
		log.Fatal(err)
	}
	part, err := s.StartPart(1) // what the worker does
	if err != nil {
		log.Fatal(err)
	}
	if err := part.Finish(nil); err != nil {
		log.Fatal(err)
	}
	again, err := cluster.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	status, err := again.Status(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range status.Parts {
		fmt.Println(p.Part, p.State)
	}
	fmt.Println("the note:", status.Last.State)
	// Output:
	// 1 done
	// 2 not started
	// the note: not started
}
