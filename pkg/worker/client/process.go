package client

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Process is a process that cannot be mistaken for a later one with its number.
type Process struct {
	PID     int
	Started uint64 // in clock ticks since the machine's start; 0 where the system does not say
}

// FindProcess describes a running process.
func FindProcess(pid int) (Process, error) {
	started, err := startTime(pid)
	if os.IsNotExist(err) {
		if _, dir := os.Stat("/proc/self/stat"); dir == nil {
			return Process{}, fmt.Errorf("process %d does not run", pid)
		}
		return Process{PID: pid}, nil // a system without /proc
	}
	return Process{PID: pid, Started: started}, err
}

// Runs reports whether it still does.
func (p Process) Runs() bool {
	now, err := FindProcess(p.PID)
	return err == nil && now == p
}

// String is PID/STARTED, which ParseProcess reads.
func (p Process) String() string { return fmt.Sprintf("%d/%d", p.PID, p.Started) }

// ParseProcess reads what String wrote.
func ParseProcess(s string) (p Process, err error) {
	if _, err := fmt.Sscanf(s, "%d/%d", &p.PID, &p.Started); err != nil {
		return p, fmt.Errorf("process %q: expected PID/STARTED", s)
	}
	return p, nil
}

// startTime is field 22 of /proc/PID/stat; the command's name, in parentheses, may hold spaces. A zombie does not run.
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat: unexpected %q", pid, text)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, os.ErrNotExist
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
