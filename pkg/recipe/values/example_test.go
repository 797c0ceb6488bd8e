package values_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/recipe/values"
)

// A wrong value is refused by name, with what is allowed.
func Example() {
	err := values.Check("quickstart", map[string]any{"items": "generated:medum", "limit": int64(20)}, nil)
	fmt.Println(err)
	// Output: parameter items="generated:medum": "medum" is no grade, expected easy, medium, hard; did you mean "medium"?
}
