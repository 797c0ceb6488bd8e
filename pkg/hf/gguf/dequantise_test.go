package gguf_test

import (
	"math"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/gguf"
)

// TestDequantisedTensorsAreThoseOfTheReferencePackage compares bits with what the gguf package for Python made of random blocks
// (testdata/make_quants.py).
func TestDequantisedTensorsAreThoseOfTheReferencePackage(t *testing.T) {
	f, err := gguf.Open("testdata/quants.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tested := 0
	for _, name := range f.Names() {
		if strings.HasSuffix(name, ".expected") {
			continue
		}
		quantised, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		expected, err := f.Tensor(name + ".expected")
		if err != nil {
			t.Fatal(err)
		}
		if quantised.Type.String() != name {
			t.Errorf("%s: found type %s", name, quantised.Type)
		}
		got, want := quantised.Float32s(), expected.Float32s()
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Errorf("%s: element %d is %v, expected %v", name, i, got[i], want[i])
				break
			}
		}
		tested++
	}
	if tested != 14 {
		t.Errorf("%d types compared, expected 14", tested)
	}
}
