package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func fresh(t testing.TB) *Store {
	t.Helper()
	s := Fresh()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var job = Job{Kind: "choices", Code: "c0de", Model: "f00d", Tokenizer: "70c", Prompt: "items", Arm: json.RawMessage(`{"alpha":0.2}`), Numerics: "go float32"}

func put(t testing.TB, s *Store, j Job, run string, records ...Record) {
	t.Helper()
	w, err := s.Writer(j, run)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Put(records...), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, s *Store, j Job) map[string]Record {
	t.Helper()
	found, err := s.Load(j)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func record(item, data string) Record { return Record{Item: item, Data: json.RawMessage(data)} }

func TestRecordsComeBackFromEveryPart(t *testing.T) {
	s := fresh(t)
	put(t, s, job, "r1", record("a", `{"scores": [-0.1, -1e-300, -0.3333333333333333]}`), record("b", `"<&>"`))
	put(t, s, job, "r1", record("c", "3"))
	put(t, s, job, "r2-7", record("a", `{"scores":[-0.1,-1e-300,-0.3333333333333333]}`), record("d", "4"))
	got := load(t, s, job)
	want := map[string]Record{
		"a": {"a", json.RawMessage(`{"scores":[-0.1,-1e-300,-0.3333333333333333]}`), "r1"}, "b": {"b", json.RawMessage(`"<&>"`), "r1"},
		"c": {"c", json.RawMessage("3"), "r1"}, "d": {"d", json.RawMessage("4"), "r2-7"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %s, expected %s", got, want)
	}
	other := job
	other.Numerics = "xla:cuda bfloat16"
	if found := load(t, s, other); len(found) != 0 {
		t.Errorf("another job has records: %v", found)
	}
}

func TestUnequalResultsNameBothRuns(t *testing.T) {
	s := fresh(t)
	put(t, s, job, "monday", record("a", "[1]"))
	put(t, s, job, "tuesday", record("a", "[2]"))
	_, err := s.Load(job)
	if err == nil || !strings.Contains(err.Error(), "monday") || !strings.Contains(err.Error(), "tuesday") || !strings.Contains(err.Error(), "item a") {
		t.Errorf("error %v, expected one that names item and runs", err)
	}
}

func TestKeysDependOnContentOnly(t *testing.T) {
	same := job
	same.Arm = json.RawMessage("{ \"alpha\" : 0.2 }")
	if same.Key() != job.Key() || len(job.Key()) != 64 {
		t.Errorf("white space changes the key")
	}
	a, b := job, job
	a.Arm, b.Arm = json.RawMessage(`{"x":1,"y":18446744073709551615}`), json.RawMessage(`{"y":18446744073709551614,"x":1}`)
	keys := map[Key]string{job.Key(): "job", a.Key(): "a", b.Key(): "b"}
	for name, change := range map[string]func(*Job){
		"kind": func(j *Job) { j.Kind = "text" }, "code": func(j *Job) { j.Code = "x" }, "model": func(j *Job) { j.Model = "x" }, "tokenizer": func(j *Job) { j.Tokenizer = "x" },
		"prompt": func(j *Job) { j.Prompt = "x" }, "arm": func(j *Job) { j.Arm = nil }, "numerics": func(j *Job) { j.Numerics = "x" }} {
		changed := job
		change(&changed)
		keys[changed.Key()] = name
	}
	if len(keys) != 10 {
		t.Errorf("%d keys of 10 jobs: %v", len(keys), keys)
	}
}

func TestTornAnywhereKeepsTheCompleteLines(t *testing.T) {
	s := fresh(t)
	put(t, s, job, "r", record("a", "[1,2]"), record("b", `{"why":"so"}`))
	path := filepath.Join(s.folder(job.Key()), "r.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(text) + 1 {
		if err := os.WriteFile(path, text[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		want := max(0, strings.Count(string(text[:size]), "\n")-1)
		if got := load(t, s, job); len(got) != want {
			t.Fatalf("%d of %d bytes: %d records, expected %d", size, len(text), len(got), want)
		}
		put(t, s, job, "r", record("z", "9")) // what is appended after the tear must be readable, too
		if got := load(t, s, job); len(got) != want+1 || string(got["z"].Data) != "9" {
			t.Fatalf("%d of %d bytes: %d records after one more, expected %d", size, len(text), len(got), want+1)
		}
	}
}

func TestZeroFilledEndIsTorn(t *testing.T) {
	s := fresh(t)
	put(t, s, job, "r", record("a", "1"))
	file, err := os.OpenFile(filepath.Join(s.folder(job.Key()), "r.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	file.Close()
	put(t, s, job, "r", record("b", "2"))
	if got := load(t, s, job); len(got) != 2 {
		t.Errorf("%d records, expected 2", len(got))
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"another file":         {"precious data", ":1:"},
		"another version":      {`{"store":"attune/records","version":2}` + "\n", ":1:"},
		"broken in the middle": {header + "garbage\n" + `{"item":"k","data":1}` + "\n", ":2:"},
		"no item":              {header + `{"data":1}` + "\n" + `{"item":"k","data":1}` + "\n", ":2:"},
	} {
		s := fresh(t)
		put(t, s, job, "r", record("a", "1"))
		path := filepath.Join(s.folder(job.Key()), "r.jsonl")
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(job); err == nil || !strings.Contains(err.Error(), path+c.want) {
			t.Errorf("%s: error %v, expected one with file and line", name, err)
		}
		if _, err := s.Writer(job, "r"); err == nil {
			t.Errorf("%s: it is written to", name)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.content {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestWritersOfOnePartShareIt(t *testing.T) {
	s := fresh(t)
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			w, err := s.Writer(job, "r")
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				if err := w.Put(record(fmt.Sprintf("%d-%d", k, i), "1")); err != nil {
					t.Error(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := load(t, s, job); len(got) != 400 || len(open.parts) != 0 {
		t.Errorf("%d records, expected 400; %d parts are open", len(got), len(open.parts))
	}
}

func TestUnknownCodeStoresNothing(t *testing.T) {
	s := fresh(t)
	j := job
	j.Code = ""
	put(t, s, j, "r", record("a", "1"))
	if got := load(t, s, j); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if _, err := os.Stat(s.Dir()); err == nil {
		t.Error("the store has a folder")
	}
	made := ""
	path, err := s.Blob(j, func(path string) error { made = path; return os.WriteFile(path, []byte("x"), 0o644) })
	if err != nil || path != "" || !strings.HasSuffix(made, "choices.safetensors") {
		t.Errorf("blob at %q, made at %q, %v", path, made, err)
	}
	if _, err := os.Stat(made); err == nil {
		t.Error("the blob is still there")
	}
}

func TestWrongJobsAndRecordsAreRefused(t *testing.T) {
	s := fresh(t)
	if _, err := s.Writer(job, "../r"); err == nil {
		t.Error("a run's name leaves the folder")
	}
	if _, err := s.Writer(Job{Kind: "choices", Code: "c"}, "r"); err == nil || !strings.Contains(err.Error(), "model") {
		t.Errorf("a job without a model: %v", err)
	}
	j := job
	j.Arm = json.RawMessage("{")
	if _, err := s.Load(j); err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("an arm that is not JSON: %v", err)
	}
	w, err := s.Writer(job, "r")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Put(record("a", "NaN")); err == nil || !strings.Contains(err.Error(), "item a") {
		t.Errorf("a result that is not JSON: %v", err)
	}
	if err := w.Put(record("", "1")); err == nil {
		t.Error("a record without an item is put")
	}
	if got := load(t, s, job); len(got) != 0 {
		t.Errorf("what was refused is there: %v", got)
	}
}

func TestJobsAreListed(t *testing.T) {
	s := fresh(t)
	other := job
	other.Kind = "text"
	put(t, s, job, "r", record("a", "1"))
	put(t, s, other, "r", record("a", "1"))
	kinds := map[string]bool{}
	for j, err := range s.Jobs() {
		if err != nil {
			t.Fatal(err)
		}
		kinds[j.Kind] = true
	}
	if len(kinds) != 2 {
		t.Errorf("kinds %v, expected choices and text", kinds)
	}
	if err := os.WriteFile(filepath.Join(s.folder(job.Key()), jobFile), []byte(`{"kind":"survey"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, err := range s.Jobs() {
		if err != nil {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d errors, expected the changed job's", failed)
	}
}

func TestBlobIsMadeOnce(t *testing.T) {
	s := fresh(t)
	var made int
	var mu sync.Mutex
	make := func(path string) error {
		mu.Lock()
		made++
		mu.Unlock()
		return os.WriteFile(path, []byte("survey"), 0o644)
	}
	if _, err := s.Blob(job, func(path string) error { os.WriteFile(path, []byte("half"), 0o644); return errors.New("disk full") }); err == nil {
		t.Error("a failure is a blob")
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			path, err := s.Blob(job, make)
			if err != nil {
				t.Error(err)
				return
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != "survey" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("made %d times, expected once", made)
	}
}
