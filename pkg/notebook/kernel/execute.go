package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
)

// ExecuteOptions say how a notebook is executed. The zero value runs without a limit, says nothing and saves nothing.
type ExecuteOptions struct {
	Save        string        // file to write the notebook to before the first cell and after each one; "": nowhere
	Root        string        // repository root, "." in saved outputs, where Save's folder is "RUN" and the home directory "~"
	Timeout     time.Duration // for all cells together; 0: none
	CellTimeout time.Duration // for each cell; 0: none
	Log         io.Writer     // progress; nil: none
	Terminal    bool          // Log is a terminal: redraw progress lines in place
}

// Execute runs the notebook's cells in order on a kernel and fills in their outputs. The first cell that fails ends the run with
// a *CellError. When ctx ends or time runs out, the kernel and all that the cells started is killed.
// The notebook is saved in every case, with the outputs up to that point.
func Execute(ctx context.Context, k *Kernel, nb *notebook.Notebook, options ExecuteOptions) error {
	nb.ClearOutputs()
	r := &run{kernel: k, nb: nb, options: options, outputs: notebook.NewCollector()}
	for i, cell := range nb.Cells {
		if cell.Executable() {
			r.cells = append(r.cells, i)
		}
	}
	if err := r.save(); err != nil {
		return err
	}
	if options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, options.Timeout, timeoutError{options.Timeout, "the run"})
		defer cancel()
	}
	for number, index := range r.cells {
		if err := r.cell(ctx, number+1, index); err != nil {
			return err
		}
	}
	k.drain(drainFor) // a display that arrived after its cell had ended
	return r.save()
}

// timeoutError says whose time ran out.
type timeoutError struct {
	limit time.Duration
	what  string
}

func (e timeoutError) Error() string {
	return fmt.Sprintf("timed out: %s took longer than %s", e.what, e.limit)
}
func (e timeoutError) Unwrap() error { return context.DeadlineExceeded }

// run is one execution of a notebook.
type run struct {
	kernel  *Kernel
	nb      *notebook.Notebook
	options ExecuteOptions
	outputs *notebook.Collector
	cells   []int // indices of the cells that are executed
}

// cell executes one cell, shows its progress and saves the notebook.
func (r *run) cell(ctx context.Context, number, index int) error {
	cell := r.nb.Cells[index]
	shown := newProgress(r.options.Log, r.options.Terminal)
	shown.begin(number, len(r.cells), r.nb.Heading(index))
	if limit := r.options.CellTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, timeoutError{limit, "the cell"})
		defer cancel()
	}
	seen := newOutcome(cell.Source)
	var badMessage error
	sent, marked, err := r.kernel.headless.prepare(cell.Source)
	if err != nil {
		return fmt.Errorf("%s: preparing cell %d: %w", r.nb.Path, number, err)
	}
	answer, err := r.kernel.execute(ctx, sent, func(msg *message) {
		seen.message(msg)
		shown.message(msg)
		if err := r.outputs.Add(cell, msg.Header.Type, msg.Content); err != nil && badMessage == nil {
			badMessage = fmt.Errorf("the kernel sent a %s message that cannot be read: %w", msg.Header.Type, err)
		}
	})
	failure := &CellError{
		Notebook: r.nb.Path, Number: number, Total: len(r.cells),
		Heading: r.nb.Heading(index), Source: cell.Source,
	}
	switch {
	case err != nil:
		if ctx.Err() != nil {
			err = stopReason(ctx)
		}
		failure.Reason, failure.Err = err.Error(), err
		r.kernel.Kill() // what the cell started would keep running
		r.outputs.Append(cell, notebook.ErrorOutput(stopName(err), err.Error(), nil))
	case badMessage != nil:
		failure.Reason, failure.Err = badMessage.Error(), badMessage
	default:
		cell.ExecutionCount = answer.ExecutionCount
		failure.Reason, failure.Trace = seen.reasonAfter(answer)
		if failure.Reason == "" && marked && !r.kernel.headless.ended() {
			failure.Reason = exitZero
		}
		if failure.Reason != "" && answer.Status == "ok" { // the notebook itself should say that this cell failed
			r.outputs.Append(cell, notebook.ErrorOutput("CellFailed", failure.Reason, nil))
		}
	}
	r.outputs.Flush(cell)
	failed := failure.Reason != ""
	shown.end(failed)
	saveErr := r.save()
	if failed {
		failure.Stderr = seen.stderr.String()
		return errors.Join(failure, saveErr)
	}
	return saveErr
}

// stopReason is why the context ended: a timeout with its limit, or an interrupt.
func stopReason(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		return fmt.Errorf("interrupted: %w", cause)
	}
	return cause
}

func stopName(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "Timeout"
	case errors.Is(err, context.Canceled):
		return "Interrupted"
	}
	return "KernelDied"
}

// save writes the notebook as it stands, without machine paths in its outputs.
func (r *run) save() error {
	if r.options.Save == "" {
		return nil
	}
	for _, cell := range r.nb.Cells {
		r.outputs.Flush(cell)
	}
	r.nb.Scrub(map[string]string{r.options.Root: ".", filepath.Dir(r.options.Save): "RUN"})
	return r.nb.Write(r.options.Save)
}

// reply is how the kernel answers an execute_request.
type reply struct {
	Status         string   `json:"status"` // "ok" or "error"
	ExecutionCount int      `json:"execution_count"`
	Name           string   `json:"ename"`
	Value          string   `json:"evalue"`
	Traceback      []string `json:"traceback"`
}

var errAsksForInput = errors.New("the cell asks for input, and a headless run has nobody to type it: run it in Jupyter, or read the value from a parameter")

// Execute sends code to the kernel and returns its answer once all outputs have arrived. Every message of the IOPub channel that belongs
// to this code goes to handle, also one that arrives during a later Execute. When ctx ends, or the kernel dies,
// Execute returns an error; what the code started still runs then, so Kill the kernel.
func (k *Kernel) execute(ctx context.Context, code string, handle func(*message)) (*reply, error) {
	request, err := newMessage(k.id, "execute_request", map[string]any{
		"code":             code,
		"silent":           false,
		"store_history":    true,
		"user_expressions": map[string]any{},
		"allow_stdin":      false,
		"stop_on_error":    true,
	})
	if err != nil {
		return nil, err
	}
	k.handlers[request.Header.ID] = handle
	if err := k.send(k.sockets.shell, request); err != nil {
		return nil, k.died(err)
	}
	var answer *reply
	for idle := false; answer == nil || !idle; {
		select {
		case msg := <-k.shell:
			if msg.Parent.ID == request.Header.ID && msg.Header.Type == "execute_reply" {
				answer = &reply{}
				if err := msg.decode(answer); err != nil {
					return nil, fmt.Errorf("the kernel's answer: %w", err)
				}
			}
		case msg := <-k.iopub:
			k.dispatch(msg)
			idle = idle || isIdle(msg) && msg.Parent.ID == request.Header.ID
		case msg := <-k.stdin:
			if msg.Header.Type == "input_request" {
				return nil, errAsksForInput
			}
		case <-k.exited:
			k.drain(drainFor)
			return nil, k.died(nil)
		case <-k.hung:
			return nil, fmt.Errorf("%w: no heartbeat for %s", ErrDied, heartbeatLost)
		case <-ctx.Done():
			k.drain(drainFor)
			return nil, ctx.Err()
		}
	}
	return answer, nil
}

// dispatch gives a message to the code it belongs to.
func (k *Kernel) dispatch(msg *message) {
	if handle := k.handlers[msg.Parent.ID]; handle != nil {
		handle(msg)
	}
}

// drainFor is how long outputs are waited for that are on their way: a cell that is stopped may print without end.
const drainFor = 300 * time.Millisecond

// drain takes the outputs that are still on their way, until none comes for a while or the time is up.
func (k *Kernel) drain(limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		select {
		case msg := <-k.iopub:
			k.dispatch(msg)
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

func (k *Kernel) died(err error) error {
	select {
	case <-k.exited:
		return fmt.Errorf("%w (%s); the end of its log:\n%s", ErrDied, exitText(k.exitErr), k.log)
	case <-time.After(time.Second):
		return fmt.Errorf("%w: %v", ErrDied, err)
	}
}

func isIdle(msg *message) bool {
	if msg.Header.Type != "status" {
		return false
	}
	var status struct {
		State string `json:"execution_state"`
	}
	return msg.decode(&status) == nil && status.State == "idle"
}
