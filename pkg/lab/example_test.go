package lab_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/lab"
)

// A notebook's cells, one after the other. Nothing is computed before a view is shown; the worker that computes is started by the first one.
func Example() {
	s := lab.Open("quickstart", lab.Options{Model: "testdata/attune-tiny", Items: "generated:medium", Limit: 200, Seed: 1})
	arms := s.Arms("released literal first-release")

	v := s.Sinks(arms...)
	s.Show("Where attention sinks", v.Rates(0.3), v.Map(), v.Classes())
	s.Show("Does it help?", s.Compare(arms...))
	s.Finish()
}

// The attention map of one head, drawn and as numbers.
func ExampleSession_Attention() {
	s := lab.Open("map", lab.Options{Model: "testdata/attune-tiny"})
	maps := s.Attention("Ada is the mother of Ben.")
	s.Show("One head", maps.Head(1, 7))
	fmt.Println(maps.Values(1, 7)[3][0]) // what the fourth token gives to the first
}

// A list in a parameter.
func ExampleNumbers() {
	fmt.Println(lab.Numbers("0.1,0.2 0.3"))
	// Output: [0.1 0.2 0.3]
}
