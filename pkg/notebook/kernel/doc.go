// Package kernel executes notebooks on GoNB (github.com/janpfeifer/gonb), the Jupyter kernel for Go, over the Jupyter wire protocol: a notebook runs from
// the command line without Python, and fails when one of its cells fails.
//
// [BuildTools] builds the kernel and goimports at the versions pinned in go.mod, [Prebuild] compiles what the cells
// import, [Start] starts GoNB and [Execute] runs the cells one after the other. A run is strict: a compile
// error, a panic, os.Exit, a failing `%test`, a failing shell line or a dead kernel ends it with a [CellError]
// that shows the cell and its standard error. The partly executed notebook is on disk after every cell.
//
// [InstallSpec] installs the same kernel for Jupyter.
//
// Source: https://jupyter-client.readthedocs.io/en/latest/messaging.html
package kernel
