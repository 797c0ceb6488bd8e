//go:build unix

package client

import (
	"os/exec"
	"syscall"
)

// detach gives the worker a session of its own, so that an interrupt of the cell does not reach it: a closed connection cancels its request instead.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
