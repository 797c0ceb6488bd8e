// Package note turns a run into what others can check: results.json, provenance.json and a research note that
// is one self-contained HTML page.
//
// A GoNB notebook runs every cell as a process of its own, so a run's state lives in files. [Begin] starts it in
// the first cell, later cells find it with [Current] and append to it, [Finish] composes:
//
//	run := must.M1(note.Begin("quickstart", map[string]any{"limit": limit}))   // first cell
//	run := must.M1(note.Current())                                             // any later cell
//	must.M(run.Result(note.Result{Name: "accuracy/baseline", Value: 0.61, Unit: "share", N: 200, CI95: &ci, Tolerance: 0.005}))
//	must.M(run.Finish())                                                       // last cell
//
// The run directory is ATTUNE_RUN_DIR where the recipe runner set it and <repository>/runs/<recipe> in interactive
// use. In it:
//
//	results.json      {"recipe","parameters","results":[{"name","value","unit","n","ci95","tolerance"}],"tables","provenance"}
//	provenance.json   the same provenance by itself
//	note.html         the page: no script, no network request, everything escaped, figures inside
//	figures/NAME.png  the figures
//	work/             files that cells keep for later cells ([Run.Work]); work/note/ is this package's state
//
// The page and the files hold no machine path, no user name and no environment: absolute paths in parameters and
// provenance are written relative to the repository, or as their last element where they lie outside of it.
//
// [Load] reads results.json back and [Compare] compares two of them number by number, each within the tolerance
// that the committed row states.
package note
