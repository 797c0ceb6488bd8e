// Package testlimit bounds what a test lets a function take: the limits that every input from outside is held to, in the fuzz tests and in those of hostile
// input. Only tests import it.
package testlimit

import (
	"fmt"
	"runtime/metrics"
	"testing"
	"time"
)

// Limits of one input: see [Run].
const (
	Bytes = 64 << 20        // allocated in all, beside four times the input
	Time  = 5 * time.Second // on the clock
)

// Run calls f, which reads an input of so many bytes, and fails if f allocated more than Bytes and four times the input in all, or took longer than Time. A
// call that does not return ends the process after four times that, so that the fuzzer records its input. The race detector widens both: see [MemorySlack].
// What other goroutines allocate meanwhile counts, so tests that use Run are not parallel.
func Run(t testing.TB, input int, f func()) {
	t.Helper()
	watchdog := time.AfterFunc(4*TimeSlack*Time, func() { panic(fmt.Sprintf("an input of %d bytes is still read after %v", input, 4*TimeSlack*Time)) })
	defer watchdog.Stop()
	start := time.Now()
	bytes := Allocated(f)
	took := time.Since(start)
	if most := MemorySlack * (Bytes + 4*uint64(input)); bytes > most {
		t.Errorf("%d bytes were allocated for an input of %d, expected at most %d", bytes, input, most)
	}
	if took > TimeSlack*Time {
		t.Errorf("an input of %d bytes took %v, expected at most %v", input, took, TimeSlack*Time)
	}
}

// Allocated calls f and returns how many bytes the process allocated on the heap meanwhile, freed ones among them.
func Allocated(f func()) uint64 {
	before := total()
	f()
	return total() - before
}

// total is what the process has allocated on the heap since it began, in bytes.
func total() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
