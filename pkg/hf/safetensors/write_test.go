package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

func TestWriteThenOpenGivesTheSameTensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	floats := []float32{1.5, -2, float32(math.Inf(1)), 0, 3e-39, 7}
	tensors := []safetensors.Tensor{
		{Name: "flags", DType: "BOOL", Shape: []int{3}, Data: []byte{1, 0, 1}},
		safetensors.FromFloat32s("w <&> \"ü\"", []int{2, 3}, floats),
		safetensors.FromInt32s("ids", []int{2}, []int32{-1, math.MaxInt32}),
		safetensors.FromBFloat16("half", []int{1, 1}, []float32{1.0078125}),
		{Name: "wide", DType: "I64", Shape: nil, Data: binary.LittleEndian.AppendUint64(nil, 42)},
	}
	metadata := map[string]string{"made": "by a test", "format": "pt"}
	if err := safetensors.Write(path, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Names()) != len(tensors) || f.Metadata()["made"] != "by a test" {
		t.Errorf("names %q, metadata %v", f.Names(), f.Metadata())
	}
	for _, want := range tensors {
		got, err := f.Tensor(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: got %v, want %v", want.Name, got, want)
		}
	}
	w, _ := f.Tensor(tensors[1].Name)
	if got, err := w.Float32s(); err != nil || !slices.Equal(got, floats) {
		t.Errorf("float32s %v, %v", got, err)
	}
	wide, _ := f.Tensor("wide")
	if got, err := wide.Int32s(); err != nil || !slices.Equal(got, []int32{42}) {
		t.Errorf("int32s %v, %v", got, err)
	}
}

func TestWriteIsDeterministicAndAligned(t *testing.T) {
	dir := t.TempDir()
	a := safetensors.FromFloat32s("a", []int{1}, []float32{1})
	b := safetensors.FromBFloat16("b", []int{3}, []float32{1, 2, 3})
	c := safetensors.FromInt32s("c", []int{1}, []int32{1})
	write := func(name string, tensors ...safetensors.Tensor) []byte {
		path := filepath.Join(dir, name)
		if err := safetensors.Write(path, tensors, map[string]string{"z": "1", "y": "2"}); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	first, second := write("1", a, b, c), write("2", c, b, a)
	if !bytes.Equal(first, second) {
		t.Error("the order of the tensors changed the bytes")
	}
	if length := binary.LittleEndian.Uint64(first); length%8 != 0 {
		t.Errorf("header of %d bytes, want a multiple of 8", length)
	}
	if first[8] != '{' {
		t.Errorf("the header begins with %q, the format demands {", first[8])
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

func TestWriteRefusesAndKeepsTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	good := safetensors.FromFloat32s("a", []int{1}, []float32{1})
	if err := safetensors.Write(path, []safetensors.Tensor{good}, nil); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	for want, tensors := range map[string][]safetensors.Tensor{
		"twice":           {good, good},
		"__metadata__":    {{Name: "__metadata__", DType: "U8", Shape: []int{0}}},
		"expected 12":     {safetensors.FromFloat32s("a", []int{3}, []float32{1})},
		`dtype "float32"`: {{Name: "a", DType: "float32"}},
		"[-1]":            {{Name: "a", DType: "U8", Shape: []int{-1}}},
	} {
		err := safetensors.Write(path, tensors, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want %q and the path", err, want)
		}
	}
	if err := safetensors.Write(filepath.Join(path, "below"), nil, nil); err == nil {
		t.Error("writing below a file gave no error")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a refused write changed the file")
	}
}

func TestConversionsCheckTheirRange(t *testing.T) {
	wide := func(values ...float64) safetensors.Tensor {
		var data []byte
		for _, v := range values {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
		return safetensors.Tensor{Name: "w", DType: "F64", Shape: []int{len(values)}, Data: data}
	}
	if got, err := wide(1, -0.5, math.Inf(1)).Float32s(); err != nil || got[1] != -0.5 || !math.IsInf(float64(got[2]), 1) {
		t.Errorf("F64: %v, %v", got, err)
	}
	if _, err := wide(1, 1e300).Float32s(); err == nil || !strings.Contains(err.Error(), "1e+300 at element 1") {
		t.Errorf("F64 beyond float32: %v", err)
	}
	long := safetensors.Tensor{Name: "i", DType: "I64", Shape: []int{1}, Data: binary.LittleEndian.AppendUint64(nil, 1<<31)}
	if _, err := long.Int32s(); err == nil || !strings.Contains(err.Error(), "2147483648") {
		t.Errorf("I64 beyond int32: %v", err)
	}
	if _, err := long.Float32s(); err == nil || !strings.Contains(err.Error(), "I64") {
		t.Errorf("I64 as floats: %v", err)
	}
	if _, err := wide(1).Int32s(); err == nil {
		t.Error("F64 as integers gave no error")
	}
	// A Tensor made by hand may lie; it must not reach beyond its bytes.
	if _, err := (safetensors.Tensor{Name: "x", DType: "F32", Shape: []int{2}, Data: make([]byte, 4)}).Float32s(); err == nil {
		t.Error("too few bytes gave no error")
	}
}
