// Package note turns a run into what others can check: results.json, provenance.json and a research note, one self-contained HTML page with the
// same as Markdown beside it.
//
// A GoNB notebook runs every cell as a process of its own, so a run's state lives in files. [Open] begins a run or continues it, [Run.Section] adds
// what a cell found or replaces it, [Run.Finish] composes:
//
//	run, err := note.Open("quickstart", map[string]any{"limit": limit}) // every cell
//	err = run.Section("Does it help?", part)                            // parts as in package report
//	err = run.Finish()                                                  // last cell; again after other sections
//
// The run directory is ATTUNE_RUN_DIR where the recipe runner set it and <repository>/runs/<recipe> in interactive use. In it:
//
//	results.json      {"recipe","answer","parameters","results":[{"name","value","unit","n","ci95","tolerance"}],"tables","provenance"}
//	provenance.json   the same provenance by itself
//	note.html         the page: no network request, everything escaped, figures inside; the only script is that of the attention view, by its hash
//	note.md           the same for GitHub, with the pictures of figures/
//	figures/NAME.png  the figures
//	tables/NAME.csv   every table
//	run.lock          held while a run writes: by the recipe runner for its cells, by a notebook's cell for itself
//	work/             files that cells keep for later cells ([Run.Work])
//	work/note/ID/     this package's state, by run id: ATTUNE_RUN_ID, else a hash of the kernel's temporary folder; and in it by parameters
//
// A directory in which another run lives is refused, and numbers of two settings never meet: other parameters are another state.
//
// The note answers first: the recipe's question, the finding that a part marks as its answer (else the last one), how it was measured, what the arms
// are in words and as data, and then the sections with their figures and tables. It holds no machine path, no user name, no escape sequence and no
// environment: absolute paths are written relative to the run, to the repository, or as their last element.
//
// [Load] reads results.json back and [Compare] compares two of them number by number, each within the tolerance that the committed row states.
package note
