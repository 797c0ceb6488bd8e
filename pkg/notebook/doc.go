// Package notebook reads, parameterises and writes Jupyter notebooks whose cells are Go. It knows no kernel: notebook/kernel executes them.
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
// # Outputs
//
// A [Collector] makes the outputs of cells from a kernel's messages, as Jupyter's front end does; [Notebook.Scrub] takes machine paths out of them.
package notebook
