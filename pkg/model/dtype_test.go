package model_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// cuda is a backend that says so, and computes as the one it holds.
type cuda struct{ compute.Backend }

func (cuda) Name() string        { return "xla" }
func (cuda) Description() string { return "xla:cuda" }

func TestDTypeFollowsTheBackendAndTheFamily(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	shown, other := &model.Config{ModelType: "llama"}, &model.Config{ModelType: "of no family"}
	for _, c := range []struct {
		config *model.Config
		b      compute.Backend
		name   string
		want   dtypes.DType
	}{
		{shown, b, "", dtypes.Float32}, {shown, b, "auto", dtypes.Float32}, {shown, b, "float32", dtypes.Float32},
		{shown, cuda{b}, "auto", dtypes.BFloat16}, {other, cuda{b}, "auto", dtypes.Float32}, {shown, cuda{b}, "float32", dtypes.Float32}, {other, cuda{b}, "bfloat16", dtypes.BFloat16},
	} {
		if got, err := c.config.ChooseDType(c.name, c.b); err != nil || got != c.want {
			t.Errorf("%s on %s, %q: %s (%v), expected %s", c.config.ModelType, c.b.Name(), c.name, got, err, c.want)
		}
	}
	for _, name := range []string{"bfloat16", "float16", "fp32"} {
		if got, err := shown.ChooseDType(name, b); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %s, %v, expected an error that names it", name, got, err)
		}
	}
}
