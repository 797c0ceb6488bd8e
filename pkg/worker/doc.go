// Package worker is the process that computes for a notebook: it keeps the model, its executables, the items and the surveys between cells, and answers package client.
//
// [Serve] listens on a socket until its owner, the kernel, ends. One request is answered at a time. Each kind of request stands in a file of its own with the views of its
// result: what is measured comes from packages sink, eval, reason, emulate and train, and a view turns it into a [report.Part], the sentence that says how it was measured, the
// finding, numbers, tables and figures.
//
// Results are kept in the store (package store), so a worker that was killed is replaced by one that continues where it stopped.
package worker
