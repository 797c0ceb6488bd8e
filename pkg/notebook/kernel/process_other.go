//go:build !unix

package kernel

import (
	"os"
	"os/exec"
	"strconv"
)

func ownGroup(*exec.Cmd) {}

func endWithParent(*exec.Cmd) {}

// killGroup kills a command and, where taskkill exists (Windows), its children.
func killGroup(pid int) {
	if exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).Run() == nil {
		return
	}
	if process, err := os.FindProcess(pid); err == nil {
		process.Kill()
	}
}

func killMarked(string) {}
