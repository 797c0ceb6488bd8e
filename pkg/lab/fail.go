package lab

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/janpfeifer/must"

	"github.com/attune-lab/attune/pkg/env"
)

// Inside a kernel must.M1 in a cell and this package's methods fail alike: one line without a stack, and an exit status that fails the cell.
func init() {
	if os.Getenv(env.GonbTmpDir) != "" {
		must.M = fail
	}
}

// fail ends the cell. A cell that was interrupted says so and no more.
func fail(err error) {
	if err == nil {
		return
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "interrupted; what was finished is kept, run the cell again to continue")
		os.Exit(130)
	}
	fmt.Fprintln(os.Stderr, "error: "+err.Error())
	os.Exit(1)
}

// Stop ends the cell with an error in one line, as the session's own methods do; nil does nothing. It is for packages that extend a session.
func Stop(err error) { fail(err) }

// check is fail outside a kernel too.
func check[T any](value T, err error) T {
	if err != nil {
		fail(err)
	}
	return value
}
