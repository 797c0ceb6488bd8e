//go:build !race

package chat

const allocationSlack = 1
