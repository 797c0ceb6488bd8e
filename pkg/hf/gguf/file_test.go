package gguf

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// builder writes files, good and bad, by hand.
type builder struct{ b []byte }

func (w *builder) u32(n uint32) *builder { w.b = binary.LittleEndian.AppendUint32(w.b, n); return w }
func (w *builder) u64(n uint64) *builder { w.b = binary.LittleEndian.AppendUint64(w.b, n); return w }
func (w *builder) text(s string) *builder {
	w.u64(uint64(len(s)))
	w.b = append(w.b, s...)
	return w
}

// header starts a file of so many tensors and metadata entries.
func header(tensors, entries uint64) *builder {
	w := &builder{b: []byte(magic)}
	return w.u32(3).u64(tensors).u64(entries)
}

func (w *builder) tensor(name string, t Type, offset uint64, dims ...uint64) *builder {
	w.text(name).u32(uint32(len(dims)))
	for _, d := range dims {
		w.u64(d)
	}
	return w.u32(uint32(t)).u64(offset)
}

// data pads the header and adds n zero bytes.
func (w *builder) data(n int) []byte {
	for len(w.b)%defaultAlignment != 0 {
		w.b = append(w.b, 0)
	}
	return append(w.b, make([]byte, n)...)
}

func good() []byte {
	return header(2, 3).text("general.architecture").u32(uint32(typeString)).text("llama").
		text("llama.block_count").u32(uint32(typeUint32)).u32(1).
		text("tokenizer.ggml.tokens").u32(uint32(typeArray)).u32(uint32(typeString)).u64(2).text("a").text("b").
		tensor("a", F32, 0, 3).tensor("b", Q8_0, 32, 32, 2).data(100)
}

func TestGoodHeader(t *testing.T) {
	f, err := parse(good())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.Names(), []string{"a", "b"}) || !slices.Equal(f.Keys(), []string{"general.architecture", "llama.block_count", "tokenizer.ggml.tokens"}) {
		t.Errorf("found tensors %v, keys %v", f.Names(), f.Keys())
	}
	if got, ok := f.Value("tokenizer.ggml.tokens").Texts(); !ok || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("found tokens %q", got)
	}
	if n, ok := f.Value("llama.block_count").Int(); !ok || n != 1 {
		t.Errorf("found block_count %d", n)
	}
	if _, ok := f.Value("llama.block_count").Text(); ok {
		t.Error("a number is a text")
	}
	b, err := f.Tensor("b")
	if err != nil || !slices.Equal(b.Shape, []int{2, 32}) || len(b.Float32s()) != 64 {
		t.Errorf("tensor b: %v, error %v", b.Shape, err)
	}
	if _, err := f.Tensor("c"); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("no tensor c: %v", err)
	}
}

// TestBadFilesAreRefusedByName: truncated, big endian, overflowing and lying headers.
func TestBadFilesAreRefusedByName(t *testing.T) {
	big := append([]byte(magic), 0, 0, 0, 3)
	big = append(big, make([]byte, 40)...)
	for _, c := range []struct {
		name    string
		content []byte
		want    []string
	}{
		{"empty", nil, []string{"magic", "truncated"}},
		{"another format", []byte("PK\x03\x04 and so on, a zip file"), []string{`"GGUF"`}},
		{"big endian", big, []string{"big endian", "convert"}},
		{"version 1", append([]byte(magic), 1, 0, 0, 0, 0, 0, 0, 0), []string{"version 1", "2 or 3"}},
		{"no counts", []byte(magic + "\x03\x00\x00\x00"), []string{"number of tensors", "truncated"}},
		{"absurd number of tensors", header(1<<63, 0).data(100), []string{"9223372036854775808 tensors"}},
		{"absurd number of entries", header(0, 1<<40).data(100), []string{"1099511627776 metadata entries"}},
		{"absurd key", header(0, 1).u64(1 << 60).data(100), []string{"metadata entry 0", "1152921504606846976"}},
		{"absurd text", header(0, 1).text("k").u32(uint32(typeString)).u64(1 << 62).data(10), []string{`"k"`, "4611686018427387904", "truncated"}},
		{"absurd array", header(0, 1).text("k").u32(uint32(typeArray)).u32(uint32(typeFloat64)).u64(1 << 61).data(10), []string{`"k"`, "2305843009213693952"}},
		{"absurd array of texts", header(0, 1).text("k").u32(uint32(typeArray)).u32(uint32(typeString)).u64(1 << 61).data(10), []string{`"k"`, "2305843009213693952"}},
		{"array of arrays", header(0, 1).text("k").u32(uint32(typeArray)).u32(uint32(typeArray)).u64(1).data(10), []string{`"k"`, "array of array"}},
		{"unknown type of value", header(0, 1).text("k").u32(77).data(10), []string{`"k"`, "type 77"}},
		{"key twice", header(0, 2).text("k").u32(uint32(typeUint32)).u32(1).text("k").u32(uint32(typeUint32)).u32(1).data(10), []string{`"k"`, "twice"}},
		{"five dimensions", header(1, 0).tensor("a", F32, 0, 1, 1, 1, 1, 1).data(10), []string{`"a"`, "5 dimensions"}},
		{"no dimension", header(1, 0).tensor("a", F32, 0).data(10), []string{`"a"`, "[]"}},
		{"a dimension of zero", header(1, 0).tensor("a", F32, 0, 0).data(10), []string{`"a"`, "dimension of 0"}},
		{"overflowing dimension", header(1, 0).tensor("a", F32, 0, 1<<63).data(10), []string{`"a"`, "9223372036854775808"}},
		{"overflowing product", header(1, 0).tensor("a", F32, 0, 1<<30, 1<<30).data(10), []string{`"a"`, "2^40"}},
		{"a type that is not read", header(1, 0).tensor("a", 16, 0, 256).data(1000), []string{`"a"`, "IQ2_XXS", "Q4_K"}},
		{"an unknown type", header(1, 0).tensor("a", 99, 0, 256).data(1000), []string{`"a"`, "number 99"}},
		{"part of a block", header(1, 0).tensor("a", Q4_K, 0, 128, 2).data(1000), []string{`"a"`, "[2 128]", "256"}},
		{"beyond the file", header(1, 0).tensor("a", F32, 64, 8).data(95), []string{`"a"`, "64 to 96", "95 data bytes"}},
		{"absurd offset", header(1, 0).tensor("a", F32, 1<<63, 8).data(95), []string{`"a"`, "9223372036854775808"}},
		{"offset and size overflow", header(1, 0).tensor("a", F32, 1<<64-1, 8).data(95), []string{`"a"`, "95 data bytes"}},
		{"overlap", header(2, 0).tensor("a", F32, 0, 8).tensor("b", F32, 16, 8).data(95), []string{`"b"`, `inside tensor "a"`}},
		{"twice", header(2, 0).tensor("a", F32, 0, 8).tensor("a", F32, 32, 8).data(95), []string{`"a"`, "twice"}},
		{"truncated data", good()[:len(good())-40], []string{`"b"`, "truncated"}},
		{"alignment of 3", header(0, 1).text("general.alignment").u32(uint32(typeUint32)).u32(3).data(10), []string{"general.alignment", "power of two"}},
		{"alignment of 0", header(0, 1).text("general.alignment").u32(uint32(typeUint32)).u32(0).data(10), []string{"general.alignment"}},
	} {
		f, err := parse(c.content)
		if err == nil {
			t.Errorf("%s: read, %d tensors", c.name, len(f.tensors))
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: the message does not name %q: %v", c.name, w, err)
			}
		}
	}
}

// TestEveryPrefixIsRefused: a download that stopped anywhere is an error, never a panic and never a model.
func TestEveryPrefixIsRefused(t *testing.T) {
	whole := good()
	for n := range whole {
		if n >= len(whole)-4 {
			break // padding behind the last tensor
		}
		if _, err := parse(whole[:n:n]); err == nil {
			t.Errorf("the first %d of %d bytes were read", n, len(whole))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good())
	f.Add(header(1, 1).text("general.alignment").u32(uint32(typeUint32)).u32(64).tensor("x", Q6_K, 0, 256).data(400))
	f.Add(header(1, 1).text("k").u32(uint32(typeArray)).u32(uint32(typeUint16)).u64(3).u32(7).u32(9).tensor("x", BF16, 0, 8, 2).data(64))
	f.Fuzz(func(t *testing.T, content []byte) {
		testlimit.Run(t, len(content), func() { readAll(t, content) })
	})
}

// readAll parses a file and reads all that it holds.
func readAll(t *testing.T, content []byte) {
	file, err := parse(content)
	if err != nil {
		return
	}
	for _, key := range file.Keys() {
		v := file.Value(key)
		v.Texts()
		v.Ints()
		v.Floats()
	}
	for _, name := range file.Names() {
		if x, err := file.Tensor(name); err != nil || len(x.Float32s()) != x.Len() {
			t.Errorf("tensor %q: %v", name, err)
		}
	}
	file.mapping = nil
	if c, err := newCheckpoint(file); err == nil {
		c.Config()
		c.Tokenizer()
	}
}
