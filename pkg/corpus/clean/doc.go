// Package clean is what is done to a set before it is trained on: [Splitter] splits by the hash of the content, [Duplicates] finds exact and near
// repeats, [Decontaminate] reports evaluation items among training texts.
package clean
