package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// submitTest makes a submission of requests that nobody runs, on a store of its own.
func submitTest(t *testing.T, parts int, requests ...client.Request) *cluster.Submission {
	t.Helper()
	code, err := store.Sources(root(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.Begin(filepath.Join(t.TempDir(), "run"), cluster.Submission{Recipe: "test", Parts: parts, Engine: cluster.Local, Backend: "go", Root: root(t),
		Store: filepath.Join(t.TempDir(), "store"), Code: code, Submitted: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if err := r.Record(s.Requests()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	return s
}

// answerOf is what a view of a request shows in a session.
func answerOf(t *testing.T, session *session, r client.Request, results string) (string, error) {
	t.Helper()
	r.Store = results
	var shown []byte
	j := &job{Request: &r, session: session, out: &events{each: func(e client.Event) {
		if e.Parts != nil || e.Data != nil {
			e.Progress = nil
			text, err := json.Marshal(e)
			if err != nil {
				t.Error(err)
			}
			shown = append(shown, text...)
		}
	}}}
	err := handlers[r.Kind](t.Context(), j)
	return string(shown), err
}

// TestPartsShowWhatOneRunShows: views of comparisons, surveys and effects that were computed in parts and united are those of one run; nothing is computed in their place.
func TestPartsShowWhatOneRunShows(t *testing.T) {
	var requests []client.Request
	for _, view := range []struct {
		kind, view string
		args       any
	}{
		{"compare", "table", nil}, {"compare", "bars", nil}, {"survey", "rates", map[string]any{"eps": []float64{0.3}}}, {"survey", "overdepth", map[string]any{"all": true, "what": []string{"entropy"}}},
		{"survey", "ratesoverlength", map[string]any{"lengths": []int{16}, "eps": []float64{0.3}}}, {"survey", "armchanges", nil}, {"survey", "density", map[string]any{"tau": 0.01}},
		{"effect", "logits", nil}, {"effect", "rows", nil}, {"perplexity", "", map[string]any{"window": 48, "stride": 24}},
	} {
		r := request(t, view.kind, view.view, view.args)
		r.Options.Limit, r.RunDir = 4, ""
		if r.Arms = arms(t); view.kind == "effect" {
			r.Arms = r.Arms[1:]
		}
		requests = append(requests, r)
	}
	const parts = 3
	s := submitTest(t, parts, requests...)
	w, err := Count(t.Context(), s, false)
	if err != nil || w.Items() != 4 {
		t.Fatalf("%+v, %v: expected 4 items in each request", w, err)
	}
	t.Setenv(env.Known, "1")
	united := newSession()
	os.Unsetenv(env.Known)
	for part := parts; part >= 1; part-- {
		if _, err := s.Merge(); err == nil || !strings.Contains(err.Error(), "not done") {
			t.Errorf("merged before part %d is done: %v", part, err)
		}
		for _, r := range requests {
			if part != parts {
				break // once is enough
			}
			if _, err := answerOf(t, united, r, s.Store); err == nil || !strings.Contains(err.Error(), "not in the store") {
				t.Errorf("%s %s before the parts are united: %v", r.Kind, r.View, err)
			}
		}
		if err := RunPart(t.Context(), s, part); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := s.Merge(); err != nil || u.Records != 2*4+4+4+2*4 || len(u.Devices) != 1 {
		t.Fatalf("united %+v, %v: expected 8 answers, 4 effects, 4 densities of masks and 8 losses of one device", u, err)
	}
	one, fresh := newSession(), filepath.Join(t.TempDir(), "one")
	for _, r := range requests {
		want, err := answerOf(t, one, r, fresh)
		if err != nil {
			t.Fatal(err)
		}
		got, err := answerOf(t, united, r, s.Store)
		if err != nil || got != want || got == "" {
			t.Errorf("%s %s: %v, the parts show\n%.300s\nand one run\n%.300s", r.Kind, r.View, err, got, want)
		}
	}
}

// TestPartsOnAFullDisk: a part whose store's disk is full says so in a line, what it had put is kept, and it continues when there is room; so it is on a read-only mount.
func TestPartsOnAFullDisk(t *testing.T) {
	r := request(t, "compare", "table", nil)
	r.Arms, r.Options.Limit = arms(t)[:1], 40
	s := submitTest(t, 1, r)
	disk := filepath.Join(s.PartDir(1), "store")
	if err := os.MkdirAll(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	mount := func(options string) error {
		out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", disk).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
	if err := mount("size=8k"); err != nil { // job.json and a page of records
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	defer exec.Command("umount", disk).Run()
	failed := func(want string) int {
		t.Helper()
		err := RunPart(t.Context(), s, 1)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), disk) {
			t.Errorf("error %v, expected %q and the path", err, want)
		}
		found, err := s.Status(t.Context())
		if err != nil || found.Parts[0].State != cluster.StateFailed || !strings.Contains(found.Parts[0].Why, want) {
			t.Errorf("%+v, %v: expected a failed part that says %q", found, err, want)
		}
		paths, _ := filepath.Glob(filepath.Join(disk, "??", "*", "*.jsonl"))
		lines := 0
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines += strings.Count(string(text), "\n") - 1
		}
		return lines
	}
	kept := failed("no space left on device")
	if kept < 5 {
		t.Errorf("%d answers are kept, expected what a page holds", kept)
	}
	if err := mount("remount,ro,size=8k"); err != nil {
		t.Fatal(err)
	}
	if again := failed("read-only file system"); again < kept {
		t.Errorf("%d answers are kept of %d", again, kept)
	}
	if err := mount("remount,rw,size=1m"); err != nil {
		t.Fatal(err)
	}
	if err := RunPart(t.Context(), s, 1); err != nil {
		t.Fatal(err)
	}
	if u, err := s.Merge(); err != nil || u.Records != 40 {
		t.Errorf("united %+v, %v: expected 40 answers", u, err)
	}
}

// TestPartsOfOneDeviceOnly: a part that computes otherwise than the first is refused before it computes, unless the submission is mixed.
func TestPartsOfOneDeviceOnly(t *testing.T) {
	r := request(t, "compare", "table", nil)
	r.Arms, r.Options.Limit = arms(t), 2
	s := submitTest(t, 2, r)
	if err := os.WriteFile(filepath.Join(s.Dir(), "submission", "device"), []byte("xla:cuda NVIDIA H200\npart-2-job-7-0 n4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := RunPart(t.Context(), s, 1)
	for _, want := range []string{"xla:cuda NVIDIA H200", "n4", "--mixed"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %q", err, want)
		}
	}
	found, err := s.Status(t.Context())
	if err != nil || found.Parts[0].State != cluster.StateFailed || !strings.Contains(found.Parts[0].Why, "--mixed") {
		t.Errorf("%+v, %v: expected a failed part that says why", found, err)
	}
	s.Mixed = true
	if err := RunPart(t.Context(), s, 1); err != nil {
		t.Errorf("a mixed submission: %v", err)
	}
}

// TestMixedPartsShowWhatOneRunShows: parts of two devices are united, and shown by a process that computes on either or on a third; parts of one device by none of another.
func TestMixedPartsShowWhatOneRunShows(t *testing.T) {
	var requests []client.Request
	for _, kind := range []string{"compare", "survey"} {
		r := request(t, kind, map[string]string{"compare": "table", "survey": "rates"}[kind], map[string]any{"eps": []float64{0.3}})
		r.Arms, r.Options.Limit, r.RunDir = arms(t)[:1], 4, ""
		requests = append(requests, r)
	}
	s := submitTest(t, 2, requests...)
	s.Mixed = true
	devices := []string{"xla:a", "xla:b"}
	for i, device := range devices {
		if err := RunPart(t.Context(), s, i+1); err != nil {
			t.Fatal(err)
		}
		asComputedOn(t, s, i+1, device)
	}
	u, err := s.Merge()
	if err != nil || !slices.Equal(u.Devices, devices) {
		t.Fatalf("united %+v, %v: expected both devices", u, err)
	}
	t.Setenv(env.Known, "1")
	t.Setenv(env.Devices, strings.Join(u.Devices, "; "))
	united := newSession()
	t.Setenv(env.Devices, devices[0])
	elsewhere := newSession()
	t.Setenv(env.Devices, "")
	t.Setenv(env.Known, "")
	one, fresh := newSession(), filepath.Join(t.TempDir(), "one")
	for _, r := range requests {
		want, err := answerOf(t, one, r, fresh)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := answerOf(t, united, r, u.Store); err != nil || got != want || got == "" {
			t.Errorf("%s: %v, the parts show\n%.300s\nand one run\n%.300s", r.Kind, err, got, want)
		}
		if _, err := answerOf(t, elsewhere, r, u.Store); err == nil || !strings.Contains(err.Error(), `"xla:a"`) {
			t.Errorf("%s on a device that the parts did not have: %v", r.Kind, err)
		}
	}
}

// asComputedOn makes a part's results those of a device.
func asComputedOn(t *testing.T, s *cluster.Submission, part int, device string) {
	t.Helper()
	from, err := s.PartStore(part)
	if err != nil {
		t.Fatal(err)
	}
	to, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.PartDir(part), "done.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var done cluster.Done
	if err := json.Unmarshal(text, &done); err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), done.Device, device))
	as := func(j store.Job) []store.Job {
		before := j.Key()
		j.Numerics = device
		text = []byte(strings.ReplaceAll(string(text), string(before), string(j.Key())))
		return []store.Job{j}
	}
	if _, err := to.MergeAs("computed", as, from); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(from.Dir()), os.Rename(to.Dir(), from.Dir()), os.WriteFile(path, text, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestCalibrationsInParts: parts answer what heads are chosen by, and the last job, which computes none of it, chooses and tests as one run does.
func TestCalibrationsInParts(t *testing.T) {
	var requests []client.Request
	for _, view := range []string{"heads", "map", "test", "spec"} {
		r := request(t, "calibrate", view, map[string]any{"method": "act", "by": "score", "layers": []int{1}, "heads": 1, "draws": 1})
		r.Options.Limit, r.Options.Items, r.RunDir = 6, "generated:easy", ""
		requests = append(requests, r)
	}
	s := submitTest(t, 2, requests...)
	w, err := Count(t.Context(), s, false)
	if err != nil || len(w.Requests) != 1 || w.Items() < 2 || w.Items() > 4 || w.Requests[0].Arms < 3 || w.Requests[0].Tokens == 0 {
		t.Fatalf("%+v, %v: expected one request, about half of 6 items, and an arm of each head", w, err)
	}
	for part := 1; part <= 2; part++ {
		if err := RunPart(t.Context(), s, part); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := s.Merge(); err != nil || u.Records != w.Requests[0].Arms*w.Items() {
		t.Fatalf("united %+v, %v: expected %d answers of %d arms each", u, err, w.Items(), w.Requests[0].Arms)
	}
	t.Setenv(env.Known, "1")
	united := newSession()
	os.Unsetenv(env.Known)
	one, fresh := newSession(), filepath.Join(t.TempDir(), "one")
	graphs := regexp.MustCompile(`"calibration[^"]*graphs":\d+`) // the last job builds those of the test only
	for i, r := range requests {
		if i == 0 {
			if _, err := answerOf(t, united, r, filepath.Join(t.TempDir(), "empty")); err == nil || !strings.Contains(err.Error(), "not in the store") {
				t.Errorf("without the parts: %v", err)
			}
		}
		want, err := answerOf(t, one, r, fresh)
		if err != nil {
			t.Fatal(err)
		}
		got, err := answerOf(t, united, r, s.Store)
		if err != nil || got == "" || graphs.ReplaceAllString(got, "") != graphs.ReplaceAllString(want, "") {
			t.Errorf("%s: %v, the parts show\n%.300s\nand one run\n%.300s", r.View, err, got, want)
		}
	}
}

// TestWhatTheModelWritesIsKept: another session shows the same text and compiles nothing for it.
func TestWhatTheModelWritesIsKept(t *testing.T) {
	dir, r := filepath.Join(t.TempDir(), "store"), request(t, "about", "writes", nil)
	first, err := answerOf(t, newSession(), r, dir)
	if err != nil {
		t.Fatal(err)
	}
	again := newSession()
	second, err := answerOf(t, again, r, dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := again.model.Compilations(); second != first || n != 0 {
		t.Errorf("another session shows %s after %d compilations, expected %s without one", second, n, first)
	}
}
