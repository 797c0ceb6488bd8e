package kernel

import "github.com/attune-lab/attune/pkg/env"

// leftovers are the processes that a kernel's cells left running.
func leftovers(kernelID string) []int { return withEnvironment(env.KernelID + "=" + kernelID) }
