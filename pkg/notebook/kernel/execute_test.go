package kernel

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
)

// outputsText joins all texts of a cell's outputs, for searching.
func outputsText(cell *notebook.Cell) string {
	var b strings.Builder
	for _, output := range cell.Outputs {
		for _, key := range []string{"text", "traceback"} {
			text, _ := notebook.JoinLines(output[key])
			b.WriteString(text)
		}
		for _, key := range []string{"ename", "evalue"} {
			text, _ := output[key].(string)
			b.WriteString(text)
		}
	}
	return b.String()
}

func TestCellsShareDeclarationsAndPrint(t *testing.T) {
	t.Parallel()
	nb := code("import \"fmt\"\nconst answer = 42\nfunc double(x int) int { return 2 * x }", "%%\nfmt.Println(\"double\", double(answer))")
	nb.Cells = append([]*notebook.Cell{{Type: notebook.Markdown, Source: "# The answer"}}, nb.Cells...)
	got := runNotebook(t, t.Context(), nb, ExecuteOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	if text := outputsText(nb.Cells[2]); text != "double 84\n" {
		t.Errorf("the cell printed %q", text)
	}
	if !strings.Contains(got.log, "[2/2] The answer …\n       double 84\n       … ") {
		t.Errorf("progress:\n%s", got.log)
	}
	saved, err := notebook.Read(got.saved)
	if err != nil {
		t.Fatal(err)
	}
	if saved.Cells[2].ExecutionCount != 2 || len(saved.Cells[2].Outputs) != 1 {
		t.Errorf("saved cell: count %d, outputs %v", saved.Cells[2].ExecutionCount, saved.Cells[2].Outputs)
	}
}

func TestFailingCellFailsTheRun(t *testing.T) {
	tests := []struct {
		name, source string
		reason       string // in the error
		stderr       string // in the error, too
	}{
		{"panic", "%%\npanic(\"oh no\")", "exit status 2", "panic: oh no"},
		{"exit", "import \"os\"\n%%\nos.Exit(3)", "exit status 3", ""},
		{"exit with status 0", "import \"os\"\n%%\nos.Exit(0)", "exit status 0 before the end", ""},
		{"exit with status 0 in func main", "import \"os\"\nfunc main() {\n\tdefer func() { os.Exit(0) }()\n\tos.Exit(0)\n}", "exit status 0 before the end", ""},
		{"fatal", "import \"log\"\n%%\nlog.Fatal(\"cannot go on\")", "exit status 1", "cannot go on"},
		{"killed", "import (\"os\"; \"syscall\")\n%%\nsyscall.Kill(os.Getpid(), syscall.SIGKILL)", "signal: killed", ""},
		{"test", "%test\nimport \"testing\"\nfunc TestSum(t *testing.T) { t.Fatal(\"wrong sum\") }", "exit status 1", ""},
		{"shell line", "!echo gone wrong >&2; exit 4", "exit status 4", "gone wrong"},
		{"shell line before Go", "import \"fmt\"\n!false\n%%\nfmt.Println(\"goes on\")", "exit status 1", ""},
		{"bash cell", "%%bash\necho working\nexit 5", "exit status 5", ""},
		{"unknown command", "%nonsense", "does not know", "nonsense"},
		{"compile error", "%%\nvar x int = \"text\"\n_ = x", "cannot use \"text\"", ""},
		{"syntax error", "func broken( {", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			nb := code("const before = 1", test.source, "const after = 1")
			got := runNotebook(t, t.Context(), nb, ExecuteOptions{})
			var failure *CellError
			if !errors.As(got.err, &failure) {
				t.Fatalf("the run ended with %v, expected a CellError", got.err)
			}
			if failure.Number != 2 || failure.Total != 3 {
				t.Errorf("cell %d of %d failed, expected 2 of 3", failure.Number, failure.Total)
			}
			firstLine, _, _ := strings.Cut(test.source, "\n")
			for _, part := range []string{"cell 2 of 3", test.reason, test.stderr, firstLine} {
				if !strings.Contains(got.err.Error(), part) {
					t.Errorf("the error does not contain %q:\n%v", part, got.err)
				}
			}
			saved, err := notebook.Read(got.saved)
			if err != nil {
				t.Fatal(err)
			}
			if saved.Cells[0].ExecutionCount != 1 || saved.Cells[2].ExecutionCount != 0 {
				t.Error("the saved notebook does not hold exactly what was executed")
			}
			last := saved.Cells[1].Outputs[len(saved.Cells[1].Outputs)-1]
			if last["output_type"] != "error" {
				t.Errorf("the failed cell's last output is %v, expected an error", last)
			}
		})
	}
}

func TestProgramsMayPrintWhatLooksLikeFailure(t *testing.T) {
	t.Parallel()
	nb := code(
		"import (\"fmt\"; \"os\")\n%%\nfmt.Println(\"exit status 1\")\nfmt.Fprintln(os.Stderr, \"exit status 1\")\nfmt.Fprintln(os.Stderr, \"signal: killed\")",
		"!echo exit status 1",
		"!echo the command ended with exit status 1 >&2")
	if got := runNotebook(t, t.Context(), nb, ExecuteOptions{}); got.err != nil {
		t.Error(got.err)
	}
}

// Nobody is at the keyboard: what reads standard input finds its end at once.
func TestReadingStandardInputEndsAtOnce(t *testing.T) {
	t.Parallel()
	nb := code("import \"fmt\"\nvar early, _ = fmt.Scanln()", "%%\nvar name string\nn, err := fmt.Scanln(&name)\nfmt.Println(n, err, early)",
		"!cat; read x || echo no input", "%%bash\nread x || echo no input", "import (\"os\"; \"os/exec\")\n%%\ncmd := exec.Command(\"cat\")\ncmd.Stdin = os.Stdin\nfmt.Println(cmd.Run())")
	started := time.Now()
	got := runNotebook(t, t.Context(), nb, ExecuteOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	for i, want := range map[int]string{1: "0 unexpected newline 0\n", 2: "no input\n", 3: "no input\n", 4: "<nil>\n"} {
		if text := outputsText(nb.Cells[i]); text != want && !(i == 1 && text == "0 EOF 0\n") {
			t.Errorf("cell %d printed %q, expected %q", i+1, text, want)
		}
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTimeoutKillsTheCellAndItsChildren(t *testing.T) {
	spawn := "import (\"os/exec\"; \"fmt\")\n%%\nfmt.Println(\"spawning\")\nexec.Command(\"sleep\", \"1000\").Start()\nexec.Command(\"setsid\", \"sleep\", \"1000\").Start()\nfor {}"
	for name, options := range map[string]ExecuteOptions{
		"run":  {Timeout: 6 * time.Second},
		"cell": {CellTimeout: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			got := runNotebook(t, t.Context(), code(spawn), options) // checks that no process is left
			if !errors.Is(got.err, context.DeadlineExceeded) || !strings.Contains(got.err.Error(), "the "+name+" took longer than 6s") {
				t.Errorf("the run ended with %v", got.err)
			}
			if took := time.Since(started); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			saved, err := notebook.Read(got.saved)
			if err != nil {
				t.Fatal(err)
			}
			if text := outputsText(saved.Cells[0]); !strings.HasPrefix(text, "spawning\nTimeout") {
				t.Errorf("the saved cell holds %q", text)
			}
		})
	}
}

// A cell that prints without newlines is followed in linear time and cut.
func TestOutputWithoutNewlinesIsCut(t *testing.T) {
	t.Parallel()
	nb := code("import (\"os\"; \"strings\")\n%%\ntext := strings.Repeat(\"x\", 1<<20)\nfor range 20 {\n\tos.Stdout.WriteString(text)\n}")
	got := runNotebook(t, t.Context(), nb, ExecuteOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	info, err := os.Stat(got.saved)
	if err != nil {
		t.Fatal(err)
	}
	if text := outputsText(nb.Cells[0]); !strings.Contains(text, "bytes of output left out") || info.Size() > 4<<20 || len(got.log) > 1<<16 {
		t.Errorf("the notebook takes %d bytes, the log %d", info.Size(), len(got.log))
	}
}

func TestOutputWithoutEndIsStoppedOnTime(t *testing.T) {
	t.Parallel()
	nb := code("import (\"os\"; \"strings\")\n%%\ntext := strings.Repeat(\"x\", 1<<20)\nfor {\n\tos.Stdout.WriteString(text)\n}")
	started := time.Now()
	const limit = 4 * time.Second
	if got := runNotebook(t, t.Context(), nb, ExecuteOptions{CellTimeout: limit}); !errors.Is(got.err, context.DeadlineExceeded) {
		t.Fatalf("the run ended with %v", got.err)
	}
	if took := time.Since(started); took > limit+15*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestBackgroundChildIsKilledAfterASuccessfulRun(t *testing.T) {
	t.Parallel()
	nb := code("!setsid sleep 1000 >/dev/null 2>&1 </dev/null &")
	if got := runNotebook(t, t.Context(), nb, ExecuteOptions{}); got.err != nil { // checks that no process is left
		t.Error(got.err)
	}
}

func TestInterruptEndsTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	nb := code("!sleep 1000")
	needKernel(t) // building it must not count
	time.AfterFunc(3*time.Second, cancel)
	got := runNotebook(t, ctx, nb, ExecuteOptions{})
	if !errors.Is(got.err, context.Canceled) || !strings.Contains(got.err.Error(), "interrupted") {
		t.Errorf("the run ended with %v", got.err)
	}
}

func TestKernelDeathFailsTheRun(t *testing.T) {
	t.Parallel()
	got := runNotebook(t, t.Context(), code("!kill -9 $PPID"), ExecuteOptions{})
	if !errors.Is(got.err, ErrDied) {
		t.Errorf("the run ended with %v", got.err)
	}
}
