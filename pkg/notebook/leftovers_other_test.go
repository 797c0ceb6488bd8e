//go:build !linux

package notebook

// leftovers cannot be listed here: only Linux shows the environment of processes.
func leftovers(string) []int { return nil }
