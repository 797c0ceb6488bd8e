// Package recipe lists, finds and runs recipes: notebooks that take parameters and leave a run directory.
//
// A run directory holds the executed notebook, note.html, results.json, provenance.json and figures/; what later cells or a later run need lies
// in its work/ folder. [Run] executes a recipe on a kernel of its own (package notebook/kernel); the
// directory is locked meanwhile. [CommittedResults], [ParametersOf] and [WriteComparison] check a rerun against committed results.
//
// A run is an object: [Points] and [WriteSweep] vary parameters and judge all points as one family, [Diff] says what two runs differ in down to the items that flipped,
// [WriteBundle] and [OpenBundle] pass a run on, [Runs] lists them.
package recipe
