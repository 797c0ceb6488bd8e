// Package lab is what notebooks are written in: a session from which an experiment is one call and its result shows itself.
//
//	var s = lab.Open("quickstart", lab.Options{Model: "testdata/attune-tiny", Items: "generated:medium", Limit: 200})
//	var arms = s.Arms("released literal first-release")
//
//	%%
//	s.Show("Does it help?", s.Compare(arms...))
//
// A result is a handle: it is lazy, and nothing is computed before one of its views is shown. A view is a [report.Part], a sentence on how it was measured, the finding, numbers,
// tables and figures; [Session.Show] displays it in the cell and puts it into the note.
//
// A cell of a Go notebook is a process of its own. So the package holds no model: it asks the worker (package worker/client), which keeps models, executables and surveys as long as
// the kernel lives, and it links no GoMLX, so that a cell which imports it is there at once.
//
// Methods stop the cell with one line, "error: parameter items=\"x.csv\": no column \"answer\"", and exit status 1: there is nobody to return an error to. Programs use the
// packages below, whose functions return errors.
package lab
