package note

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/attune-lab/attune/pkg/env"
)

// recorded are the modules whose versions decide what a number is.
var recorded = []string{
	"github.com/gomlx/gomlx",
	"github.com/gomlx/compute",
	"github.com/gomlx/go-xla",
	"github.com/gomlx/go-huggingface",
	"github.com/janpfeifer/gonb",
	"gonum.org/v1/gonum",
}

// gathered are the keys of the provenance that this package fills in.
var gathered = map[string]bool{
	"commit": true, "dirty": true, "go": true, "os": true, "arch": true, "goexperiment": true, "cpu": true, "cpus": true,
	"backend": true, "started": true, "finished": true, "seconds": true, "modules": true,
}

// gather is the provenance of a run that ends now, with the facts of its parts.
func (r *Run) gather(s *start, facts map[string]any, now time.Time) map[string]any {
	end := gitCommit(r.root)
	p := map[string]any{
		"commit":       s.Commit.Hash,
		"dirty":        s.Commit.Dirty || end != s.Commit, // sources that changed in the middle are no commit's
		"go":           runtime.Version(),
		"os":           runtime.GOOS,
		"arch":         runtime.GOARCH,
		"goexperiment": goExperiment(),
		"cpu":          cpuModel(),
		"cpus":         runtime.NumCPU(),
		"backend":      cmp.Or(r.backend, backendName()),
		"started":      s.Started.Format(time.RFC3339),
		"finished":     now.UTC().Format(time.RFC3339),
		"seconds":      int(now.Sub(s.Started).Seconds()),
		"modules":      moduleVersions(r.root),
	}
	for key, value := range facts {
		p[key] = value
	}
	if devices := strings.Split(os.Getenv(env.Devices), "; "); len(devices) > 1 {
		p["devices"] = devices // parts of the run were computed on each
	}
	return p
}

func backendName() string {
	if name := os.Getenv(env.Backend); name != "" {
		return name
	}
	return "go"
}

// goExperiment is what this binary was built with; SIMD changes the Go backend's speed and its rounding.
func goExperiment() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GOEXPERIMENT" {
				return s.Value
			}
		}
	}
	return os.Getenv("GOEXPERIMENT")
}

// commit is the state of the checkout when the run began.
type commit struct {
	Hash  string `json:"hash"`  // "unknown" without git or without a commit
	Dirty bool   `json:"dirty"` // what computes differs from the commit; notes, notebooks and tests do not count
}

func gitCommit(root string) commit {
	unknown := commit{Hash: "unknown"}
	if root == "" {
		return unknown
	}
	if b, err := os.ReadFile(filepath.Join(root, ".dist", "commit")); err == nil { // an archive: nothing says whether its files were edited
		return commit{Hash: strings.TrimSpace(string(b)), Dirty: true}
	}
	git := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // a network file system may hang
		defer cancel()
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0") // never disturb the user's own git
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	hash, err := git("rev-parse", "--verify", "HEAD")
	if err != nil {
		return unknown
	}
	status, err := git("status", "--porcelain", "--untracked-files=all")
	return commit{Hash: hash, Dirty: err != nil || slices.ContainsFunc(strings.Split(status, "\n"), changesNumbers)}
}

// changesNumbers reports whether a line of git status names a file that computes: go.mod, go.sum, sources, and what packages embed. A notebook that
// Jupyter saved by itself is none; the run's directory holds the one that was executed.
func changesNumbers(line string) bool {
	_, path, _ := strings.Cut(strings.TrimSpace(line), " ")
	if _, to, renamed := strings.Cut(path, " -> "); renamed {
		path = to
	}
	path = strings.Trim(strings.TrimSpace(path), `"`)
	switch {
	case path == "go.mod" || path == "go.sum":
		return true
	case strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".md") || strings.HasSuffix(path, ".ipynb"):
		return false
	}
	return strings.HasSuffix(path, ".go") || strings.HasPrefix(path, "pkg/") && !strings.Contains(path, "/testdata/")
}

// cpuModel names the processor, "unknown" where the system does not tell.
func cpuModel() string {
	switch runtime.GOOS {
	case "linux":
		b, err := os.ReadFile("/proc/cpuinfo")
		if err != nil {
			break
		}
		lines := bufio.NewScanner(bytes.NewReader(b))
		for lines.Scan() {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	case "darwin":
		if out, err := exec.Command("sysctl", "-n", "machdep.cpu.brand_string").Output(); err == nil {
			return strings.TrimSpace(string(out))
		}
	case "windows":
		if id := os.Getenv("PROCESSOR_IDENTIFIER"); id != "" {
			return id
		}
	}
	return "unknown"
}

// moduleVersions are the versions linked into this binary, and for modules that it does not link those that the
// repository's go.mod pins.
func moduleVersions(root string) map[string]string {
	versions := map[string]string{}
	if b, err := os.ReadFile(filepath.Join(root, "go.mod")); root != "" && err == nil {
		if f, err := modfile.ParseLax("go.mod", b, nil); err == nil {
			for _, req := range f.Require {
				versions[req.Mod.Path] = req.Mod.Version
			}
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Replace != nil && dep.Replace.Version != "" {
				versions[dep.Path] = dep.Replace.Version
			} else if dep.Version != "" {
				versions[dep.Path] = dep.Version
			}
		}
	}
	out := map[string]string{}
	for _, path := range recorded {
		if v := versions[path]; v != "" {
			out[path] = v
		}
	}
	return out
}
