//go:build race

package source

// slack of limits on time and allocation: under the race detector the same work takes several times as much.
const slack = 4
