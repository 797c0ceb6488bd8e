//go:build !race

package testlimit

// TimeSlack and MemorySlack multiply limits.
const (
	TimeSlack   = 1
	MemorySlack = 1
)
