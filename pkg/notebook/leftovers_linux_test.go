package notebook

// leftovers are the processes that a kernel's cells left running.
func leftovers(kernelID string) []int { return withEnvironment(kernelIDVariable + "=" + kernelID) }
