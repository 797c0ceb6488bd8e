package hub_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/attune-lab/attune/pkg/hf/hub"
)

func ExampleResolve() {
	// A directory is taken as it is.
	dir, info, err := hub.Resolve(context.Background(), os.TempDir(), hub.Options{})
	fmt.Println(dir == os.TempDir(), info, err)

	// A model of the hub comes from the cache, or is fetched; offline and without a copy that is said at once.
	empty, err := os.MkdirTemp("", "cache")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(empty)
	_, _, err = hub.Resolve(context.Background(), "hf:HuggingFaceTB/SmolLM2-135M@main", hub.Options{CacheDir: empty, Offline: true})
	fmt.Println(errors.Is(err, hub.ErrOffline))
	// Output:
	// true directory <nil>
	// true
}
