package interval_test

import (
	"encoding/json"
	"fmt"

	"github.com/attune-lab/attune/pkg/stats/interval"
)

func Example() {
	ci := interval.Interval{Low: -0.012, High: 0.004}
	text, err := json.Marshal(ci)
	fmt.Println(string(text), err)
	fmt.Println("contains 0:", ci.Contains(0), "within 2 points:", ci.Within(0.02), "within 1 point:", ci.Within(0.01))
	fmt.Println(ci.Hull(interval.Interval{Low: 0, High: 0.01}))
	// Output:
	// [-0.012,0.004] <nil>
	// contains 0: true within 2 points: true within 1 point: false
	// {-0.012 0.01}
}
