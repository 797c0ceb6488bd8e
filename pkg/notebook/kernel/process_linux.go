package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ownGroup puts a command into a process group of its own, which can be killed as a whole.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// endWithParent lets the system end a command of its own group when this program dies without having done so. It watches the
// thread that started the command: that goroutine must keep its thread (runtime.LockOSThread).
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// killGroup kills a command and its process group.
func killGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }

// killMarked kills every process that inherited the mark, an entry `NAME=value` of its environment: a child that moved to another group or session
// (setsid) or lost its parent is found by it.
func killMarked(mark string) {
	for range 20 { // a process may fork while the list is read: repeat until a pass finds nothing
		marked := withEnvironment(mark)
		if len(marked) == 0 {
			return
		}
		for _, pid := range marked {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// withEnvironment lists the processes whose environment holds an entry. Zombies have no environment any more.
func withEnvironment(entry string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file) // other users' processes are not readable, and not ours
		if err != nil {
			continue
		}
		for variable := range bytes.SplitSeq(environ, []byte{0}) {
			if string(variable) != entry {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && pid != os.Getpid() {
				pids = append(pids, pid)
			}
			break
		}
	}
	return pids
}
