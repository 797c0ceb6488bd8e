package emulate_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/emulate"
)

func Example() {
	spec := emulate.Released()
	fmt.Println(spec)
	fmt.Println(string(spec.JSON()), spec.Hash())
	for _, l := range []int{0, 1, 16, 31} {
		fmt.Printf("layer %2d of 32: gain %.4f\n", l, spec.Gain(l, 32))
	}
	// Output:
	// alpha 0.2, A_0 > 0.01 off the diagonal
	// {"alpha":0.2,"tau":0.01} b730e1de770e
	// layer  0 of 32: gain 1.0000
	// layer  1 of 32: gain 1.1935
	// layer 16 of 32: gain 1.0968
	// layer 31 of 32: gain 1.0000
}

// A variant is a change of fields, a control a function of what it controls for, and Diff says what is different.
func ExampleDiff() {
	spec := emulate.Released()
	spec.Tau, spec.TopK = 0, 8
	spec.Renormalise = emulate.RenormaliseRow
	fmt.Println(spec)
	fmt.Println(emulate.Random(spec, 1))
	for _, line := range emulate.Diff(emulate.Released(), spec) {
		fmt.Println(line)
	}
	// Output:
	// alpha 0.2, the top 8 of A_0 off the diagonal, rows renormalised
	// alpha 0.2, as many at random (seed 1) as the top 8 of A_0 off the diagonal, rows renormalised
	// tau: 0.01 -> default
	// renormalise: default -> "row"
	// top_k: default -> 8
}

func ExamplePlan() {
	plan := emulate.Plan{emulate.ZeroTuning(0.5), emulate.Released()}
	fmt.Println(plan, plan.Hash())
	_, err := emulate.ParsePlan([]byte(`[{"alpha":1,"tau":0.01},{"alpha":1,"tau":0.01,"top_k":3}]`))
	fmt.Println(err)
	// Output:
	// gain 0.5, keys at [0], in all heads of all layers, rows renormalised; then alpha 0.2, A_0 > 0.01 off the diagonal 263fa2693ee6
	// step 2: tau and top_k are thresholds, and a mask has one: keep one of them
}
