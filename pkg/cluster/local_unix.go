//go:build unix

package cluster

import (
	"os/exec"
	"syscall"
)

// apart keeps a terminal's signals from a process.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
