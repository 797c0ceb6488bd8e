package logs_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/janpfeifer/must"

	"github.com/attune-lab/attune/pkg/lab"
	"github.com/attune-lab/attune/pkg/lab/logs"
)

// Two plain logs with an id and whether the answer was right.
func Example() {
	dir := must.M1(os.MkdirTemp("", "logs"))
	defer os.RemoveAll(dir)
	os.Setenv("ATTUNE_RUN_DIR", dir)
	defer os.Unsetenv("ATTUNE_RUN_DIR")
	before, after := filepath.Join(dir, "before.csv"), filepath.Join(dir, "after.csv")
	must.M(os.WriteFile(before, []byte("id,correct\n1,true\n2,false\n3,false\n4,false\n"), 0o644))
	must.M(os.WriteFile(after, []byte("id,correct\n1,true\n2,true\n3,true\n4,false\n"), 0o644))
	s := lab.Open("compare", lab.Options{})
	for _, n := range logs.Compare(s, before, after, logs.Options{}).Parts()[0].Numbers[:4] {
		fmt.Printf("%s %.2f\n", n.Name, n.Value)
	}
	// Output:
	// difference 0.50
	// mcnemar_p 0.50
	// score_p 0.16
	// flipped_right 2.00
}
