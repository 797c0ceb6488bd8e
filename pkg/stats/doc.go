// Package stats holds every statistic of accuracies and means: pure functions of counts and slices, no model and no files.
//
// # One accuracy
//
//	interval           Wilson's score interval                 [Wilson]
//	against guessing   exact binomial tail, one-sided          [AboveChance]
//
// # Two arms on the same items
//
// With n items, of which b are right only in the arm (gained) and c only in what it is compared with (lost), the difference of the
// accuracies is (b - c)/n:
//
//	p that decides     z = (b - c)/sqrt(b + c)                 [ScoreTest]
//	its interval       Tango's score interval                  [PairedScore]
//	beside them        McNemar's exact test and mid-p          [McNemar], [McNemarMidP]
//	no effect above m  two one-sided tests                     [Equivalence]
//	shared passages    errors by cluster, sign flips           [Clusters]
//	other groups       difference of differences               [Interaction]
//
// Comparisons are judged together with all others of their table, as a [Family]: adjusted p, intervals at the family's level, the
// detectable difference, and the word ([Paired.Word]) and sentence ([Paired.Finding]) that follow from them by rule.
//
// # Means of measurements
//
//	interval           percentile bootstrap over units         [Bootstrap], [MeanInterval], [RatioInterval]
//	change             the same of paired differences          [PairedMean], [PairedRatio]
//	sampled answers    variance within and between items       [Variation]
//
// Each function states its formula, its source and its edge cases. Functions panic only where lists that belong to the same units
// differ in length, and say so.
package stats
