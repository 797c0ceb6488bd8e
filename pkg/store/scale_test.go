package store

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// TestManyPartsLoad loads the records of many shards: 20,000 in 200 parts, or with ATTUNE_SCALE=1 a million in a thousand, which may take 30 s and 1 GB.
func TestManyPartsLoad(t *testing.T) {
	parts, each := 200, 100
	if os.Getenv("ATTUNE_SCALE") != "" {
		parts, each = 1000, 1000
	}
	s := fresh(t)
	for p := range parts {
		writePart(t, s, fmt.Sprintf("run-%d", p), p*each, each)
	}
	start := time.Now()
	got := load(t, s, job)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d records in %d parts: %.2f s, %d MB from the system", len(got), parts, time.Since(start).Seconds(), memory.Sys>>20)
	if len(got) != parts*each || time.Since(start) > 30*time.Second || memory.Sys > 1<<30 {
		t.Errorf("%d records in %v with %d MB, expected %d within 30 s and 1 GB", len(got), time.Since(start), memory.Sys>>20, parts*each)
	}
}

// TestKilledWriterLosesNothingThatItPut kills a process that writes, again and again, and counts what it said that it had put.
func TestKilledWriterLosesNothingThatItPut(t *testing.T) {
	if dir := os.Getenv("ATTUNE_TEST_WRITER"); dir != "" {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.Writer(job, "r")
		if err != nil {
			t.Fatal(err)
		}
		for i, _ := strconv.Atoi(os.Getenv("ATTUNE_TEST_FROM")); ; i++ {
			if err := w.Put(record(strconv.Itoa(i), `[1,2,3]`)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(os.Stderr, i)
		}
	}
	s := fresh(t)
	last := -1
	for range 5 {
		writer := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		writer.Env = append(os.Environ(), "ATTUNE_TEST_WRITER="+s.Dir(), "ATTUNE_TEST_FROM="+strconv.Itoa(last+1))
		told, err := writer.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(told)
		for n := 0; n < 200 && lines.Scan(); n++ {
			if last, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatalf("the writer said %q", lines.Text())
			}
		}
		writer.Process.Kill()
		_ = writer.Wait()
	}
	got := load(t, s, job)
	for i := range last + 1 {
		if r, ok := got[strconv.Itoa(i)]; !ok || !json.Valid(r.Data) {
			t.Fatalf("record %d of %d was put and is lost", i, last)
		}
	}
	if last < 500 {
		t.Errorf("only %d records were put", last+1)
	}
}
