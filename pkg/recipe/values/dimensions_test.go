package values

import (
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/bench"
)

// TestDimensionsAreThoseOfBench: a recipe takes the dimensions that package bench knows, all of them.
func TestDimensionsAreThoseOfBench(t *testing.T) {
	_, err := bench.Config("none")
	if want := "one of " + strings.Join(dimensions, ", "); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("package bench has %v, expected %q", err, want)
	}
}
