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

// killTree kills a command's process group. Only Linux shows the environment by which children that left the group are found.
func killTree(pid int, _ string) {
	syscall.Kill(-pid, syscall.SIGKILL)
}
