package hub

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Scheme begins a reference to a model on the hub.
const Scheme = "hf:"

// DefaultRevision is the branch meant when a reference names no revision.
const DefaultRevision = "main"

// Ref is a model on the hub.
type Ref struct {
	Repo     string // owner/name
	Revision string // branch, tag or commit
}

// The hub's own rule for the parts of a repository's name, and what git allows in a reference that is also a safe path.
var (
	namePart   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}$`)
	revision   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,255}$`)
	fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// ParseRef reads hf:owner/name[@revision].
func ParseRef(ref string) (Ref, error) {
	rest, ok := strings.CutPrefix(ref, Scheme)
	if !ok {
		return Ref{}, fmt.Errorf("hub: found %q, expected %sowner/name or %sowner/name@revision", ref, Scheme, Scheme)
	}
	repo, rev, pinned := strings.Cut(rest, "@")
	if !pinned {
		rev = DefaultRevision
	}
	owner, name, ok := strings.Cut(repo, "/")
	if !ok {
		return Ref{}, fmt.Errorf("hub: %q names no owner, expected %sowner/name (gpt2, for one, is %sopenai-community/gpt2)", ref, Scheme, Scheme)
	}
	for _, part := range []string{owner, name} {
		// "--" separates the parts in the names of the cache's folders, so the hub forbids it in names.
		if !namePart.MatchString(part) || strings.Contains(part, "--") || strings.Contains(part, "..") {
			return Ref{}, fmt.Errorf("hub: %q is not a name the hub allows, expected %sowner/name of letters, digits, '-', '_' and '.'", part, Scheme)
		}
	}
	if !revision.MatchString(rev) || strings.Contains(rev, "..") || !filepath.IsLocal(rev) {
		return Ref{}, fmt.Errorf("hub: %q is not a revision, expected a branch, a tag or a commit after the @ of %sowner/name@revision", rev, Scheme)
	}
	return Ref{Repo: repo, Revision: rev}, nil
}

// String is the reference in the form that ParseRef reads.
func (r Ref) String() string { return Scheme + r.Repo + "@" + r.Revision }
