package env_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/env"
)

// A file is written whole or not at all, and a folder belongs to one process at a time.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	lock, err := env.TryLock(filepath.Join(dir, "run.lock"), "pid 1, since noon")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lock.Unlock()

	file := filepath.Join(dir, "results.json")
	err = env.WriteFile(file, 0o666, func(w io.Writer) error { return json.NewEncoder(w).Encode([]int{1, 2, 3}) })
	text, _ := os.ReadFile(file)
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// [1,2,3]
	// <nil>
}
