package notebook

// Nearest is the name most like the given one, "" when none is close enough to be a typing error
// (more than a third of the letters differ).
func Nearest(name string, names []string) string {
	best, bestDistance := "", len([]rune(name))/3+1
	for _, candidate := range names {
		if d := editDistance(name, candidate); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// editDistance is Levenshtein's distance in characters.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		diagonal := row[0]
		row[0] = i + 1
		for j := range t {
			cost := diagonal
			if s[i] != t[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(t)]
}
