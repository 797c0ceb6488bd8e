package eval

// ChanceLevel is the expected accuracy of guessing: the mean of 1/choices.
func ChanceLevel(examples []Example) float64 {
	if len(examples) == 0 {
		return 0
	}
	sum := 0.0
	for _, e := range examples {
		sum += 1 / float64(len(e.Choices))
	}
	return sum / float64(len(examples))
}

// AboveChance is the one-sided p of k right answers of n against guessing: P[X >= k], X ~ Binomial(n, chance). Large means
// that the accuracy cannot be told from guessing.
//
// With the same number of choices everywhere the test is exact. With mixed numbers, `chance` being their mean, it errs
// on the careful side: for k above the mean by 1 or more, the binomial's tail is at least that of the mixture
// (Hoeffding, "On the distribution of the number of successes in independent trials", Annals of Mathematical Statistics 27, 1956).
func AboveChance(k, n int, chance float64) float64 { return binomialTail(k, n, chance) }
