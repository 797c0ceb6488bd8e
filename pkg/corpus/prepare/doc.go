// Package prepare makes a data set of items that were read from anywhere: bad rows, repeats and contamination taken out, split by content, exported with a
// card that says all of it. It is what the recipe corpus does; each step is a function of corpus/source, corpus/clean or corpus/export.
package prepare
