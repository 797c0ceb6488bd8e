package recipe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
)

// TestMain doubles as the runner that the tests below kill: with TEST_RUN_NOTEBOOK it runs that notebook, with the lines of TEST_RUN_PARAMETERS, into TEST_RUN_DIR.
func TestMain(m *testing.M) {
	if path := os.Getenv("TEST_RUN_NOTEBOOK"); path != "" {
		overrides := notebook.Overrides{}
		for line := range strings.Lines(os.Getenv("TEST_RUN_PARAMETERS")) {
			if err := overrides.Set(strings.TrimSpace(line)); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		_, err := Run(context.Background(), Options{Root: os.Getenv("TEST_RUN_ROOT"), Path: path, Overrides: overrides, Dir: os.Getenv("TEST_RUN_DIR"), Force: true, Command: "the test", Log: os.Stdout})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runner is a command that runs a notebook in a process of its own. Everything it starts has the mark in its environment and temporary files in temp.
func runner(t *testing.T, notebook, dir, mark, temp string, more ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_RUN_NOTEBOOK="+notebook, "TEST_RUN_DIR="+dir, "TEST_RUN_ROOT="+repository(t), "TEST_MARK="+mark, "TMPDIR="+temp)
	cmd.Env = append(cmd.Env, more...)
	return cmd
}

// marked are the processes that have an entry in their environment, by what they run.
func marked(entry string) (found []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !slices.Contains(strings.Split(string(environ), "\x00"), entry) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}
	return found
}

// kills is how often the next test kills the runner: ATTUNE_KILLS, or few.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ATTUNE_KILLS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("ATTUNE_KILLS=%q: %v", text, err)
	}
	return n
}

// TestNothingOutlivesAKilledRunner kills the runner with SIGKILL at random moments: while packages are built, while the kernel starts, while a cell is compiled and
// while cells run that started processes of their own. After the next start no process and no folder of it is there. ATTUNE_KILLS=40 kills it 40 times,
// every other time with an empty build cache, so that compilers run.
func TestNothingOutlivesAKilledRunner(t *testing.T) {
	nb := code(t, `import ("fmt"; "os/exec"; "text/template")
var _ = template.New`, `%%
fmt.Println("spawning")
exec.Command("sleep", "1000").Start()
exec.Command("setsid", "sh", "-c", "sleep 1000 & wait").Start()`, "!setsid sleep 1000 >/dev/null 2>&1 </dev/null & sleep 1", "%%\nfor {}")
	temp := t.TempDir()
	path := filepath.Join(temp, "spawner.ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.BuildTools(t.Context(), repository(t), os.Stderr, false); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	many := os.Getenv("ATTUNE_KILLS") != ""
	for i := range kills(t) {
		mark := fmt.Sprintf("kill-%d-%d", os.Getpid(), i)
		cmd := runner(t, path, filepath.Join(temp, "run"), mark, temp)
		if many && i%2 == 1 {
			cmd.Env = append(cmd.Env, "GOCACHE="+filepath.Join(t.TempDir(), "cache"))
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		after := time.Duration(rand.Int64N(int64(4 * time.Second)))
		time.Sleep(after)
		before := len(marked("TEST_MARK=" + mark))
		cmd.Process.Kill()
		cmd.Wait()
		var left, folders []string
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			kernel.Sweep() // what the next start does first. A child that was forked and is not executed yet holds the lock for milliseconds
			left = marked("TEST_MARK=" + mark)
			folders, _ = filepath.Glob(filepath.Join(temp, "attune-*"))
			if len(left)+len(folders) == 0 || time.Now().After(deadline) {
				break
			}
		}
		t.Logf("killed after %.2f s with %d processes", after.Seconds(), before)
		if len(left) > 0 || len(folders) > 0 {
			t.Errorf("killed after %.2f s: processes %q and folders %q are left", after.Seconds(), left, folders)
		}
	}
}

// Without a next start the guard does the same within seconds.
func TestGuardEndsTheCellsOfAKilledRunner(t *testing.T) {
	nb := code(t, "import (\"fmt\"; \"os/exec\")\n%%\nexec.Command(\"setsid\", \"sleep\", \"1000\").Start()\nfmt.Println(\"spawned\")\nfor {}")
	temp := t.TempDir()
	path := filepath.Join(temp, "spawner.ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("guard-%d", os.Getpid())
	run := filepath.Join(temp, "run")
	cmd := runner(t, path, run, mark, temp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), "spawned"); {
	}
	second := runner(t, path, run, mark+"b", temp)
	text, err := second.CombinedOutput()
	if want := fmt.Sprintf("process %d, started ", cmd.Process.Pid); err == nil || !strings.Contains(string(text), want) {
		t.Errorf("a second run into the directory ends with %v:\n%s", err, text)
	}
	cmd.Process.Kill()
	cmd.Wait()
	deadline := time.Now().Add(20 * time.Second)
	for {
		folders, _ := filepath.Glob(filepath.Join(temp, "attune-*"))
		left := marked("TEST_MARK=" + mark)
		if len(left) == 0 && len(folders) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes %q and folders %q are left", left, folders)
		}
		time.Sleep(50 * time.Millisecond)
	}
	d, err := openDirectory(Options{Dir: run, Force: true}, "spawner")
	if err != nil {
		t.Fatalf("the killed run still holds its directory: %v", err)
	}
	d.lock.Unlock()
}
