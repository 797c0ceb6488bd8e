// Package engine runs many sequences through a model in batches of few shapes, so that few graphs are compiled and none is waited for longer than needed.
//
// A [Geometry] chooses the shapes. A sequence's width depends on its own length only, and the rows of a width are always the same: what is missing is filled with dummy
// rows. So a result does not depend on what else is asked, and a run that continues where it stopped finds the numbers of one that never did.
//
// A [Runner] scores sequences ([Runner.Score]), hands out what an experiment emits ([Runner.Observe]) and generates ([Runner.Generate]). Graphs of all widths are
// compiled side by side while the first batches run; as many batches are in flight as the backend can use. Where the device's memory does not suffice, a width's rows are
// halved, and [Progress] says so.
package engine
