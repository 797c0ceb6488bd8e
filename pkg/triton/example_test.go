package triton_test

import (
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/triton"
)

// A trial is made once in a process, whatever asks for it. Failures are kept there only.
func ExampleTrial() {
	dev, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	trial := triton.Trial{Device: dev, Text: "module {}", Kind: "an example", SelfTest: func() error {
		fmt.Println("compared with plain operations")
		return errors.New("it is off by 0.5 on a trial, expected less than 0.01")
	}}
	type variant struct{ columns int }
	for range 2 {
		fmt.Println(trial.Outcome(variant{128}))
	}
	// Output:
	// compared with plain operations
	// it is off by 0.5 on a trial, expected less than 0.01
	// it is off by 0.5 on a trial, expected less than 0.01
}
