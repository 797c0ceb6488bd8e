package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// largeHeader is a file of so many empty tensors.
func largeHeader(tensors int) []byte {
	var text bytes.Buffer
	text.WriteString("{")
	for i := range tensors {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `"t%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	text.WriteString("}")
	return append(binary.LittleEndian.AppendUint64(nil, uint64(text.Len())), text.Bytes()...)
}

// TestHeaderOfManyTensorsIsReadInLinearTime: 1.5 million took 50 s with encoding/json's decoder.
func TestHeaderOfManyTensorsIsReadInLinearTime(t *testing.T) {
	content := largeHeader(200_000)
	start := time.Now()
	f, err := parse(content)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.names) != 200_000 {
		t.Errorf("%d tensors", len(f.names))
	}
	if d := time.Since(start); d > testlimit.TimeSlack*testlimit.Time {
		t.Errorf("%v for 200,000 tensors, expected well below a second", d)
	}
}

func BenchmarkHeader(b *testing.B) {
	content := largeHeader(400_000)
	for b.Loop() {
		if _, err := parse(content); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	file := func(header string, data int) []byte {
		return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), make([]byte, data)...)
	}
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"format":"pt"}}   `, 8))
	f.Add(file(`{"\u0061\n":{"shape":[],"data_offsets":[0,2],"dtype":"BF16"} , "b":{"dtype":"I64","shape":[0,99999999999],"data_offsets":[2,2]}}`, 2))
	f.Add(file(`{}`, 0))
	f.Fuzz(func(t *testing.T, content []byte) {
		testlimit.Run(t, len(content), func() { checkParsed(t, content) })
	})
}

// checkParsed parses a file and holds what was accepted to its promises.
func checkParsed(t *testing.T, content []byte) {
	file, err := parse(content)
	if err != nil {
		return
	}
	total := 0
	for _, name := range file.Names() {
		x, err := file.Tensor(name)
		if err != nil {
			continue // a dimension beside a zero that this machine's int does not hold
		}
		total += len(x.Data)
		if err := x.check(); err != nil {
			t.Errorf("accepted %v", err)
		}
		if values, err := x.Float32s(); err == nil && len(values) != x.Len() {
			t.Errorf("tensor %q: %d values of %d", name, len(values), x.Len())
		}
		x.NonFinite()
	}
	if total != len(file.data) {
		t.Errorf("tensors cover %d of %d bytes", total, len(file.data))
	}
}
