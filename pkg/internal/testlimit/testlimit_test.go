package testlimit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// recorder is a test whose errors are read.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, arguments ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, arguments...))
}

var sink []byte

func TestRunFailsOnWhatAllocatesTooMuch(t *testing.T) {
	for _, c := range []struct {
		input, allocated int
		fails            bool
	}{
		{0, 1 << 20, false},
		{16 << 20, testlimit.MemorySlack * 100 << 20, false}, // 64 MiB and four times 16
		{0, testlimit.MemorySlack * 100 << 20, true},
	} {
		r := &recorder{TB: t}
		testlimit.Run(r, c.input, func() { sink = make([]byte, c.allocated) })
		sink = nil
		if failed := len(r.errors) == 1 && strings.Contains(r.errors[0], "bytes were allocated"); failed != c.fails || len(r.errors) > 1 {
			t.Errorf("%d bytes for an input of %d: %q", c.allocated, c.input, r.errors)
		}
	}
}
