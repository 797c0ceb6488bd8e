package kernel

import (
	"io"
	"os"
	"os/exec"
	"syscall"
)

// guardScript waits for the end of its standard input, which only this process can write to: it ends with this process, however that ends. An
// orderly end writes a line first. Else the processes that carry the mark are killed, until a look finds none, and the folder goes.
const guardScript = `
mark=$1 dir=$2
read -r line && exit 0
for i in 1 2 3 4 5 6 7 8 9 10; do
	pids=$(grep -slzxF -e "$mark" /proc/[0-9]*/environ | sed 's#/proc/\([0-9]*\)/.*#\1#')
	[ -n "$pids" ] || break
	kill -9 $pids 2>/dev/null
	sleep 0.1
done
rm -rf -- "$dir"
`

// guard is a process that outlives this one, in a session of its own.
type guard struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

// startGuard starts one; nil where that fails: the next newScratch cleans then.
func startGuard(id, dir string) *guard {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return nil
	}
	cmd := exec.Command(sh, "-c", guardScript, "attune-guard", "ATTUNE_KERNEL_ID="+id, dir)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // without the mark
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil
	}
	if err := cmd.Start(); err != nil {
		return nil
	}
	return &guard{cmd, stdin}
}

// dismiss ends the guard without anything to do.
func (g *guard) dismiss() {
	if g == nil {
		return
	}
	io.WriteString(g.stdin, "done\n")
	g.stdin.Close()
	g.cmd.Wait()
}
