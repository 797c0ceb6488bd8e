// Package notebook reads, parameterises and executes Jupyter notebooks whose cells are Go.
//
// It holds the .ipynb format (nbformat 4.5), the parameters of a recipe, and a client of the GoNB kernel
// (github.com/janpfeifer/gonb) that speaks the Jupyter wire protocol, so that a notebook runs from the
// command line without Python and fails when one of its cells fails.
//
// # The format
//
// [Read] and [Notebook.Write] keep everything they do not understand and write what Jupyter writes: keys sorted, one
// space of indentation, text as a list of lines, a newline at the end. A notebook that Jupyter saved comes back byte
// for byte. Source: https://nbformat.readthedocs.io/en/latest/format_description.html
//
// # Parameters
//
// The cell tagged `parameters` declares Go constants ([Notebook.Parameters]); [Notebook.Inject] puts a cell tagged
// `injected-parameters` behind it that declares the overridden ones again, papermill's convention.
//
// # Execution
//
// [BuildTools] builds the kernel and goimports at the versions pinned in go.mod, [Prebuild] compiles what the cells
// import, [StartKernel] starts GoNB and [Execute] runs the cells one after the other. A run is strict: a compile
// error, a panic, os.Exit, a failing `%test`, a failing shell line or a dead kernel ends it with a [CellError]
// that shows the cell and its standard error. The partly executed notebook is on disk after every cell.
// Source: https://jupyter-client.readthedocs.io/en/latest/messaging.html
package notebook
