package safetensors

import (
	"fmt"
	"slices"
	"strings"
)

// nearNames is how many similar names an error lists.
const nearNames = 3

// describeNear ends a "not found" error: the names most like the one asked for.
func describeNear(name string, names []string) string {
	if len(names) == 0 {
		return "the file holds no tensors"
	}
	type scored struct {
		name     string
		distance int
	}
	all := make([]scored, len(names))
	for i, candidate := range names {
		all[i] = scored{candidate, editDistance(name, candidate)}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return a.distance - b.distance })
	quoted := []string{}
	for _, s := range all[:min(nearNames, len(all))] {
		quoted = append(quoted, fmt.Sprintf("%q", s.name))
	}
	return fmt.Sprintf("the nearest of its %d names are %s", len(names), strings.Join(quoted, ", "))
}

// editDistance is Levenshtein's distance in bytes. Names are cut at 128 bytes: the error only needs a good guess,
// and a header may hold a very long name.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 128)], b[:min(len(b), 128)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
