package apply_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
)

// What the emulation layer does at each layer of a model of four: the first keeps the mask, the last has a gain of exactly 1 and is left alone. Layers and Specs that
// differ in numbers only have one key, and so one graph.
func Example() {
	weak, err := apply.New(emulate.Released())
	if err != nil {
		fmt.Println(err)
		return
	}
	strong, err := apply.New(emulate.Literal())
	if err != nil {
		fmt.Println(err)
		return
	}
	for l := range 4 {
		layer := attention.Layer{Index: l, Dims: attention.Dims{Layers: 4, Heads: 8, Vocab: 100}}
		a, b := weak.Visit(layer), strong.Visit(layer)
		if a == nil {
			fmt.Printf("layer %d: nothing\n", l)
			continue
		}
		fmt.Printf("layer %d: one graph %t, gains %v and %v\n", l, a.Key == b.Key, first(a.Inputs["gain"]), first(b.Inputs["gain"]))
	}
	// Output:
	// layer 0: one graph true, gains none and none
	// layer 1: one graph true, gains 1.1333333 and 1.6666666
	// layer 2: one graph true, gains 1.0666667 and 1.3333334
	// layer 3: nothing
}

func first(values []float32) string {
	if len(values) == 0 {
		return "none"
	}
	return fmt.Sprint(values[0])
}
