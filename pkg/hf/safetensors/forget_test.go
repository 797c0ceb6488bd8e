package safetensors

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestForgottenTensorsAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	values := make([]float32, 40000) // many pages
	for i := range values {
		values[i] = float32(i)
	}
	if err := Write(path, []Tensor{FromFloat32s("a", []int{3}, []float32{1, 2, 3}), FromFloat32s("b", []int{40000}, values)}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		x, err := f.Tensor("b")
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Float32s()
		if err != nil || !slices.Equal(got, values) {
			t.Fatalf("other values, error %v", err)
		}
		f.Forget("b")
		f.Forget("no such tensor")
	}
}
