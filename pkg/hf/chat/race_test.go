//go:build race

package chat

// allocationSlack: under the race detector the chain of operators allocates 920 MB, without it less than 64.
const allocationSlack = 32
