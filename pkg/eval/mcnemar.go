package eval

// McNemarExact is the two-sided exact p of McNemar's test for paired right/wrong outcomes. Under the null hypothesis an
// item that changed sides is as likely gained as lost, so with b gained and c lost
//
//	p = min(1, 2 P[X >= max(b, c)]),   X ~ Binomial(b + c, 1/2)
//
// and p = 1 when nothing changed. Items on which both arms agree carry no information.
//
// Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
// Psychometrika 12 (1947); exact form: Agresti, Categorical Data Analysis, 3rd ed., section 11.1. The mid-p variant is not used.
func McNemarExact(gained, lost int) float64 {
	return min(1, 2*binomialTail(max(gained, lost), gained+lost, 0.5))
}
