package kernel

import (
	"context"
	"io"
	"os/exec"
	"time"

	"github.com/attune-lab/attune/pkg/gobuild"
)

// Prebuild compiles the packages that cells import, in the environment of the kernel, so that the first cell does not wait for
// a minute without a word. Of a command among them what it imports is compiled. Packages that do not compile are reported in the error; the cell
// that imports them fails as well.
func Prebuild(ctx context.Context, root string, packages, env []string, log io.Writer, terminal bool) error {
	return Build(ctx, gobuild.Build{Dir: root, Packages: packages, Env: env,
		Label: "compiling what the cells import", Log: log, Terminal: terminal})
}

// Build runs a build whose processes and temporary files do not outlive this process.
func Build(ctx context.Context, build gobuild.Build) error {
	if len(build.Packages) == 0 {
		return nil
	}
	scratch, err := newScratch()
	if err != nil {
		return err
	}
	defer scratch.close()
	build.Env = scratch.environment(build.Env)
	build.Prepare = func(cmd *exec.Cmd) {
		ownGroup(cmd)
		cmd.Cancel = func() error { killGroup(cmd.Process.Pid); return nil } // its compilers, too
		cmd.WaitDelay = time.Second
	}
	return build.Run(ctx)
}
