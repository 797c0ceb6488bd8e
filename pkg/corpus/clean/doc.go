// Package clean is what is done to a set before it is trained on or evaluated on.
//
// [Splitter] puts content into splits by its hash, so that a duplicate never straddles and a set can grow. [Duplicates] finds texts that repeat an earlier
// one, exactly or nearly: the Jaccard similarity |A and B| / |A or B| of their sets of shingles, candidates by MinHash (Broder 1997). [Decontaminate] reports
// evaluation items of which 13 words in a row stand in a training text (Brown et al. 2020, arXiv 2005.14165, appendix C).
package clean
