package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// live is a kernel in which a notebook is worked on, cell by cell.
type live struct {
	t      *testing.T
	kernel *kernel.Kernel
	before []int // workers that ran before it
}

// startLive starts a kernel as Jupyter does and runs the first cells of a notebook.
func startLive(t *testing.T, model string) *live {
	t.Helper()
	ctx := context.Background()
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	tools, err := kernel.BuildTools(ctx, abs, os.Stderr, false)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := env.BackendName()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	environment := append(kernel.Environment(backend, tools.Dir), env.RunDir+"="+dir, env.CallerDir+"="+abs, env.Store+"="+filepath.Join(dir, "store"))
	l := &live{t: t, before: workers()}
	if l.kernel, err = kernel.Start(ctx, kernel.Options{Tools: tools, Dir: filepath.Join(abs, "recipes"), Env: environment, Built: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.kernel.Close)
	l.cell(`!*go -C "$GONB_DIR" run github.com/attune-lab/attune/recipes/bind "$PWD"`)
	l.cell(fmt.Sprintf("import \"github.com/attune-lab/attune/pkg/lab\"\n\nvar s = lab.Open(\"live\", lab.Options{Model: %q, Items: \"generated:medium\", Limit: 24, Seed: 1})\n"+
		"var arms = s.Arms(\"released\")", model))
	return l
}

// run runs a cell and returns what it printed, how long it took until the kernel was idle, and how it failed.
func (l *live) run(source string) (text string, took time.Duration, err error) {
	nb := &notebook.Notebook{Path: "live.ipynb", Cells: []*notebook.Cell{{Type: notebook.Code, Source: source}}}
	start := time.Now()
	err = kernel.Execute(context.Background(), l.kernel, nb, kernel.ExecuteOptions{CellTimeout: 5 * time.Minute})
	took = time.Since(start)
	for _, o := range nb.Cells[0].Outputs {
		part, _ := notebook.JoinLines(o["text"])
		text += part
	}
	return text, took, err
}

// cell is a run that must succeed.
func (l *live) cell(source string) (string, time.Duration) {
	l.t.Helper()
	text, took, err := l.run(source)
	if err != nil {
		l.t.Fatalf("%s\n%v", source, err)
	}
	return text, took
}

// worker is the process of this kernel's worker, 0 where there is none.
func (l *live) worker() int {
	for _, pid := range workers() {
		if !slices.Contains(l.before, pid) {
			return pid
		}
	}
	return 0
}

// workers are all worker processes of this machine.
func workers() (pids []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if args := strings.Split(string(line), "\x00"); err == nil && slices.Contains(args, "--owner") && slices.Contains(args, "--socket") {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// resident is a process's memory in MiB.
func resident(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize() >> 20
}

func gone(pid int) bool {
	p, err := client.FindProcess(pid)
	return err != nil || !p.Runs()
}

// TestLiveNotebook works in a notebook as a person does: a cell that computes is soon there, a hundred of them take no more memory than ten, a worker that is killed in a
// job costs the cell and not the next one, one that is interrupted in a compilation lets go, another notebook has another worker, and the worker ends with its kernel.
//
// ATTUNE_LIVE_MODEL is another model than the embedded one, and ATTUNE_LIVE_CELLS how many cells there are (3): with the backend in ATTUNE_BACKEND it measures what a
// person waits for.
func TestLiveNotebook(t *testing.T) {
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skip("needs /proc")
	}
	model, cells := "testdata/attune-tiny", 3
	if dir := os.Getenv("ATTUNE_LIVE_MODEL"); dir != "" {
		model = dir
	}
	if n, err := strconv.Atoi(os.Getenv("ATTUNE_LIVE_CELLS")); err == nil && n > 0 {
		cells = n
	}
	l := startLive(t, model)
	const ask = "%%%%\ns.Show(\"map\", s.Attention(\"Question: what is %d plus 2? Answer: 4\").Head(1, 2))"
	_, first := l.cell(fmt.Sprintf(ask, 0))
	pid := l.worker()
	if pid == 0 {
		t.Fatal("no worker runs after a cell that computes")
	}
	var times []time.Duration
	early, late := 0, 0
	for i := range cells {
		_, took := l.cell(fmt.Sprintf(ask, i%10))
		times = append(times, took)
		if late = resident(pid); i == min(9, cells/2) {
			early = late
		}
	}
	slices.Sort(times)
	t.Logf("attention map of one head: the first cell %.2f s, the median of %d more %.2f s; the worker's memory %d MiB early, %d MiB at the end", first.Seconds(), cells,
		times[len(times)/2].Seconds(), early, late)
	if late > early+early/10+64 {
		t.Errorf("the worker grew from %d to %d MiB over %d cells", early, late, cells)
	}
	if now := l.worker(); now != pid {
		t.Errorf("worker %d became %d without a reason", pid, now)
	}

	const compare = "%%\nfmt.Println(\"answers\", s.Compare(arms...).Rows())"
	l.cell("import \"fmt\"")
	answers := func(text string) string { return text[max(0, strings.Index(text, "answers ")):] } // without what came before
	want, _ := l.cell(compare)
	if want = answers(want); !strings.HasPrefix(want, "answers [{baseline all 24") {
		t.Fatalf("the answers are %q", want)
	}
	_, _, err := l.run(fmt.Sprintf("import (\n\"syscall\"\n\"time\"\n)\n%%%%\ngo func() { time.Sleep(300 * time.Millisecond); syscall.Kill(%d, syscall.SIGKILL) }()\n"+
		"s.Show(\"killed\", s.Survey(s.Arms(\"literal\")...).Layers())", pid))
	t.Logf("a cell whose worker was killed in its job: %v", err)
	if !gone(pid) {
		t.Errorf("worker %d lives after it was killed", pid)
	}
	again, took := l.cell(compare)
	if again = answers(again); again != want {
		t.Errorf("after a kill the answers are %q, before they were %q", again, want)
	}
	t.Logf("the next cell took %.2f s", took.Seconds())

	const interrupt = "import (\n\"os\"\n\"syscall\"\n\"time\"\n)\n%%%%\ngo func() { time.Sleep(%d * time.Millisecond); syscall.Kill(os.Getpid(), syscall.SIGINT) }()\ns.Show(\"interrupted\", s.On(\"%s\").Survey(s.Arms(\"%s\")...).Layers())"
	start := time.Now()
	_, _, err = l.run(fmt.Sprintf(interrupt, 300, strings.Repeat("a text of a length that is new, ", 7), `{\"alpha\":0.3,\"tau\":0.02}`))
	t.Logf("an interrupted cell: %v", err)
	l.cell("%%\ns.Show(\"about\", s.Tokens(\"one\"))")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("an interrupted cell and the next one took %v", took)
	} else {
		t.Logf("an interrupted cell and the next one took %.2f s", took.Seconds())
	}

	second := startLive(t, model)
	if text, _ := second.cell("import \"fmt\"\n" + compare); answers(text) != want {
		t.Errorf("a second notebook answers %q, the first %q", answers(text), want)
	}
	mine, its := l.worker(), second.worker()
	if mine == 0 || its == 0 || mine == its {
		t.Errorf("two notebooks have workers %d and %d", mine, its)
	}
	second.kernel.Close()
	for start := time.Now(); !gone(its); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			t.Fatal("the worker outlives its kernel by 5 seconds")
		}
	}
	if gone(mine) {
		t.Error("the first notebook's worker went with the second kernel")
	}
}
