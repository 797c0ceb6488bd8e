//go:build race

package testlimit

// TimeSlack and MemorySlack multiply limits. Under the race detector the same work takes several times as long, and what stays on the stack otherwise is
// allocated: a chat template that chains 100,000 operators allocates 920 MB, without the detector less than 64.
const (
	TimeSlack   = 4
	MemorySlack = 16
)
