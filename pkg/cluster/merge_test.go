package cluster

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/store"
)

// partWith finishes a part whose store has a record of each item.
func partWith(t *testing.T, s *Submission, part int, device, data string, of int, items ...string) {
	t.Helper()
	job := store.Job{Kind: "choices", Code: "c", Model: "m", Numerics: device}
	results, err := s.PartStore(part)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.StartPart(part)
	if err != nil {
		t.Fatal(err)
	}
	w, err := results.Writer(job, r.Attempt())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		if err := w.Put(store.Record{Item: item, Data: json.RawMessage(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r.now.Device = device
	if err := r.Finish([]Answered{{Jobs: []store.Key{job.Key()}, Items: items, Of: of}}); err != nil {
		t.Fatal(err)
	}
}

func TestMergeRefusesWhatIsNotWhole(t *testing.T) {
	merge := func(s *Submission) error {
		_, err := s.Merge()
		return err
	}
	s := submissionOf(t, Submission{Parts: 3, Engine: Local})
	partWith(t, s, 2, "go", "1", 3, "a", "b")
	fails(t, merge(s), "parts 1,3 are not done")
	partWith(t, s, 1, "go", "1", 3, "c")
	partWith(t, s, 3, "xla", "1", 3)
	fails(t, merge(s), "part 1", "go", "part 3", "xla", "--mixed")
	partWith(t, s, 3, "go", "1", 4)
	fails(t, merge(s), "3 items in part 1 and 4 in part 3", "submit again")
	partWith(t, s, 1, "go", "1", 3)
	partWith(t, s, 3, "go", "1", 3)
	fails(t, merge(s), "2 of 3 items")

	s = submissionOf(t, Submission{Parts: 2, Engine: Local})
	partWith(t, s, 1, "go", "1", 2, "a")
	partWith(t, s, 2, "go", "1", 2, "b")
	store2, err := s.PartStore(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(store2.Dir()); err != nil {
		t.Fatal(err)
	}
	fails(t, merge(s), "part 2 says that it is done", "item b", "remove its done.json")
	partWith(t, s, 2, "go", "2", 2, "a") // the other part's item, computed otherwise
	fails(t, merge(s), "part-1-", "part-2-", "unequal")
}

// TestMixedDevicesAreUnitedApart: in a store of the submission's own, where each device's job has the results of all.
func TestMixedDevicesAreUnitedApart(t *testing.T) {
	s := submissionOf(t, Submission{Parts: 2, Engine: Local, Mixed: true})
	partWith(t, s, 1, "go", "1", 2, "a")
	partWith(t, s, 2, "xla", "1", 2, "b")
	u, err := s.Merge()
	if err != nil || len(u.Devices) != 2 || u.Records != 4 || u.Store == s.Store {
		t.Fatalf("%+v, %v", u, err)
	}
	if _, err := os.Stat(s.Store); err == nil {
		t.Error("results of mixed devices went to the store of all runs")
	}
}

func TestAStoreThatCannotBeWrittenIsFoundFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(file, "store"))
	if err != nil {
		t.Fatal(err)
	}
	fails(t, CheckStore(s), file, "cannot be written", "ATTUNE_STORE")
	made := submissionOf(t, Submission{Parts: 1, Engine: Local})
	partWith(t, made, 1, "go", "1", 1, "a")
	made.Store = filepath.Join(file, "store")
	_, err = made.Merge()
	fails(t, err, "cannot be written")
	made.Store = t.TempDir()
	if u, err := made.Merge(); err != nil || u.Records != 1 {
		t.Errorf("into another store: %+v, %v: expected that nothing was lost", u, err)
	}
}

// TestMergingIntoAFullDisk: a store without room, or on a read-only mount, is an error in a line that names it; the parts' results stay, and merging goes on when there is room.
func TestMergingIntoAFullDisk(t *testing.T) {
	s := submissionOf(t, Submission{Parts: 2, Engine: Local})
	text := `"` + strings.Repeat("x", 3000) + `"`
	partWith(t, s, 1, "go", text, 8, "a", "b", "c", "d")
	partWith(t, s, 2, "go", text, 8, "e", "f", "g", "h")
	if err := os.MkdirAll(s.Store, 0o755); err != nil {
		t.Fatal(err)
	}
	mount := func(options string) error {
		return exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", s.Store).Run()
	}
	if err := mount("size=8k"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	defer exec.Command("umount", s.Store).Run()
	_, err := s.Merge()
	fails(t, err, "no space left on device", s.Store)
	if err := mount("remount,ro,size=8k"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Merge()
	fails(t, err, "read-only file system", s.Store, "ATTUNE_STORE")
	if err := mount("remount,rw,size=1m"); err != nil {
		t.Fatal(err)
	}
	if u, err := s.Merge(); err != nil || u.Records != 8 {
		t.Errorf("with room: %+v, %v: expected 8 results", u, err)
	}
}
