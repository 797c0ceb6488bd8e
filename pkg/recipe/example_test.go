package recipe_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/recipe"
)

// A recipe is found by its name, and says what it answers and which parameters it takes.
func Example() {
	path, err := recipe.Find("../../recipes", "quickstart")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := recipe.Read(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, the parameter %s is of type %s\n", r.Name, r.Parameters[0].Name, r.Parameters[0].Kind)

	_, err = recipe.Find("../../recipes", "quickstrat")
	fmt.Println(err != nil)
	// Output:
	// quickstart, the parameter model is of type string
	// true
}
