package notebook_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/notebook"
)

// A recipe's parameters are read from its notebook, and overridden by a cell behind them.
func Example() {
	nb, err := notebook.Read("testdata/jupyter.ipynb")
	if err != nil {
		log.Fatal(err)
	}
	parameters, err := nb.Parameters()
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range parameters {
		fmt.Printf("%s=%s (%s): %s\n", p.Name, p.Literal(), p.Kind, p.Help)
	}
	values, err := nb.Inject(notebook.Overrides{"limit": "20"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(values["limit"])
	fmt.Println(nb.Cells[2].Source)

	_, err = nb.Inject(notebook.Overrides{"limt": "20"})
	fmt.Println(err)
	// Output:
	// limit=200 (int): items to score
	// 20
	// const (
	// 	limit = 20 // given; default 200
	// )
	// unknown parameter "limt", did you mean "limit"? The known ones are: limit
}
