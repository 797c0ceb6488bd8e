// Package client asks the worker: the process that keeps models, executables and surveys between the cells of a notebook.
//
// A cell of a Go notebook is a process of its own, so whatever it loads or compiles is gone when it ends. One worker for each kernel holds it instead. [Dial] finds
// the worker of this kernel or starts it; [Client.Do] sends a [Request] and hands on what comes back: progress while it computes, then [report.Part]s or plain data.
//
// # Wire
//
// A connection to a Unix socket (mode 0600) in the kernel's temporary folder carries one request, a line of JSON, and the answer, lines of JSON ([Event]) of which the last has
// End set or an Error. Closing the connection cancels the request.
//
// # When a worker is replaced
//
// A request carries a hash of the sources that the worker is built from ([Sources]). A worker of other sources refuses it and ends, and the client builds and starts another, so
// an edited package or view is never answered from the old one. The worker ends with its owner, the kernel.
//
// The package links no GoMLX, so that a cell which imports it is compiled and linked in a fraction of a second.
package client
