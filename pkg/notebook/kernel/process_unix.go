//go:build unix && !linux

package kernel

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a command into a process group of its own, which can be killed as a whole.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// endWithParent: only Linux ends a command with its parent.
func endWithParent(*exec.Cmd) {}

// killGroup kills a command and its process group.
func killGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }

// killMarked: only Linux shows the environment by which children that left the group are found.
func killMarked(string) {}
