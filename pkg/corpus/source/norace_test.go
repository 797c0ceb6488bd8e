//go:build !race

package source

const slack = 1
