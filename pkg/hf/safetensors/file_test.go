package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// rawFile writes a file of this header text and this many zero bytes of data.
func rawFile(t testing.TB, headerText string, dataSize int) string {
	t.Helper()
	content := binary.LittleEndian.AppendUint64(nil, uint64(len(headerText)))
	content = append(content, headerText...)
	content = append(content, make([]byte, dataSize)...)
	return rawBytes(t, content)
}

func rawBytes(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefusesDamagedHeaders(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for _, test := range []struct {
		name, header string
		dataSize     int
		want         []string
	}{
		{"truncated data", `{` + a + `}`, 7, []string{`tensor "a"`, "[0, 8]", "7 data bytes", "truncated"}},
		{"data left over", `{` + a + `}`, 9, []string{"found 9 data bytes", "expected the 8"}},
		{"overlap", `{` + a + `,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12, []string{`tensor "b"`, `inside tensor "a"`, "overlap"}},
		{"same range twice", `{` + a + `,"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8, []string{`tensor "b"`, "overlap"}},
		{"hole", `{` + a + `,"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}}`, 10, []string{`tensor "b"`, "at byte 9", "expected it at 8"}},
		{"size against shape", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8, []string{`tensor "a"`, "found 8 bytes", "expected 12 for F32 [3]"}},
		{"size against dtype", `{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,8]}}`, 8, []string{"expected 16"}},
		{"unknown dtype", `{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}`, 8, []string{`tensor "a"`, `dtype "F4"`, "BF16"}},
		{"negative dimension", `{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8, []string{`tensor "a"`, "[-2]"}},
		{"two negative dimensions", `{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}`, 8, []string{"[-1 -2]"}},
		{"overflowing shape", `{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,8]}}`, 8, []string{`tensor "a"`, "63 bits"}},
		{"overflowing dimension", `{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}`, 8, []string{"99999999999999999999"}},
		{"fractional dimension", `{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}}`, 8, []string{"shape: found 1.5"}},
		{"negative offset", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, 8, []string{"[-8, 0]"}},
		{"reversed offsets", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8, []string{"[8, 0]"}},
		{"three offsets", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}`, 8, []string{"found 3 numbers"}},
		{"duplicate name", `{` + a + `,` + a + `}`, 8, []string{`tensor "a"`, "twice"}},
		{"duplicate name, escaped", `{` + a + `,"\u0061":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16, []string{`tensor "a"`, "twice"}},
		{"duplicate field", `{"a":{"dtype":"U8","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8, []string{`"dtype" found twice`}},
		{"field of another case", `{"a":{"DTYPE":"F32","shape":[2],"data_offsets":[0,8]}}`, 8, []string{`"DTYPE"`}},
		{"missing field", `{"a":{"dtype":"F32","data_offsets":[0,8]}}`, 8, []string{`"shape" is missing`}},
		{"null shape", `{"a":{"dtype":"F32","shape":null,"data_offsets":[0,8]}}`, 8, []string{"shape"}},
		{"not an object", `[1,2]`, 0, []string{"header"}},
		{"not JSON", `hello`, 0, []string{"not valid JSON"}},
		{"empty header", ``, 0, []string{"header"}},
		{"unclosed", `{` + a, 8, []string{"not valid JSON"}},
		{"text after", `{` + a + `} x`, 8, []string{"after the closing brace"}},
		{"metadata of numbers", `{"__metadata__":{"step":3},` + a + `}`, 8, []string{"__metadata__", "step"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := rawFile(t, test.header, test.dataSize)
			f, err := safetensors.Open(path)
			if err == nil {
				f.Close()
				t.Fatal("opened, want an error")
			}
			for _, want := range append(test.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestOpenRefusesAbsurdLengths(t *testing.T) {
	for name, content := range map[string][]byte{
		"empty file":      {},
		"seven bytes":     make([]byte, 7),
		"all ones":        bytes.Repeat([]byte{0xff}, 64),
		"beyond the file": binary.LittleEndian.AppendUint64(nil, 100),
		"a terabyte":      append(binary.LittleEndian.AppendUint64(nil, 1<<40), "{}"...),
	} {
		t.Run(name, func(t *testing.T) {
			path := rawBytes(t, content)
			if f, err := safetensors.Open(path); err == nil {
				f.Close()
				t.Fatal("opened, want an error")
			} else if !strings.Contains(err.Error(), path) {
				t.Errorf("error %q does not name the file", err)
			}
		})
	}
	if _, err := safetensors.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "OpenDir") {
		t.Errorf("opening a directory: %v, want a hint at OpenDir", err)
	}
	if _, err := safetensors.Open(filepath.Join(t.TempDir(), "none.safetensors")); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("opening a missing file: %v, want fs.ErrNotExist inside", err)
	}
}

func unwrapAll(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || os.IsNotExist(err) {
			return err
		}
		err = inner.Unwrap()
	}
}

func TestOpenAcceptsWhatTheFormatAllows(t *testing.T) {
	header := `{"__metadata__":{"format":"pt"},"scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},` +
		`"empty":{"dtype":"F32","shape":[0,4611686018427387905,9],"data_offsets":[4,4]},"b":{"shape":[1],"data_offsets":[4,5],"dtype":"BOOL"}}   `
	f, err := safetensors.Open(rawFile(t, header, 5))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := strings.Join(f.Names(), " "); got != "b empty scalar" {
		t.Errorf("names %q", got)
	}
	if f.Metadata()["format"] != "pt" {
		t.Errorf("metadata %v", f.Metadata())
	}
	scalar, err := f.Tensor("scalar")
	if err != nil {
		t.Fatal(err)
	}
	if values, err := scalar.Float32s(); err != nil || len(values) != 1 {
		t.Errorf("scalar: %v, %v", values, err)
	}
	empty, err := f.Tensor("empty")
	if err != nil || len(empty.Data) != 0 || empty.Len() != 0 {
		t.Errorf("empty: %v, %v", empty, err)
	}
}

func TestUnknownTensorListsNearNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	var tensors []safetensors.Tensor
	for _, name := range []string{"model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight", "lm_head.weight", "model.norm.weight", "model.embed_tokens.weight"} {
		tensors = append(tensors, safetensors.FromFloat32s(name, []int{1}, []float32{1}))
	}
	if err := safetensors.Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Tensor("model.layers.0.self_attn.q_proj.weights")
	if err == nil || !strings.Contains(err.Error(), `are "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight"`) {
		t.Errorf("error %v, want the near names first", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := f.Tensor("lm_head.weight"); err == nil {
		t.Error("Tensor after Close gave no error")
	}
}

// FuzzOpen feeds whole files: no panic, and what opens can be read.
func FuzzOpen(f *testing.F) {
	add := func(header string, dataSize int) {
		content, err := os.ReadFile(rawFile(f, header, dataSize))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	add(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
	add(`{"__metadata__":{"k":"v"},"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}`, 12)
	add(`{"a":{"dtype":"F16","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, 0)
	add(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}`, 3)
	f.Add([]byte{})
	path := filepath.Join(f.TempDir(), "fuzz.safetensors")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		testlimit.Run(t, len(content), func() { readAll(t, path, len(content)) })
	})
}

// readAll opens a file of so many bytes and reads all its tensors.
func readAll(t *testing.T, path string, size int) {
	file, err := safetensors.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	total := 0
	for _, name := range file.Names() {
		tensor, err := file.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		total += len(tensor.Data)
		tensor.Float32s()
		tensor.Int32s()
	}
	if total > size {
		t.Errorf("tensors hold %d bytes of a file of %d", total, size)
	}
	if _, err := file.Tensor("no such tensor"); err == nil && total == 0 && len(file.Names()) == 0 {
		t.Error("an unknown tensor gave no error")
	}
}
