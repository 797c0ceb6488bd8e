package hub

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	hfhub "github.com/gomlx/go-huggingface/hub"
)

// Schemes of references to the hub.
const (
	Scheme     = "hf:"      // a model
	DataScheme = "hf-data:" // a data set
)

// DefaultRevision is the branch meant when a reference names no revision.
const DefaultRevision = "main"

// Ref is a repository on the hub.
type Ref struct {
	Repo     string // owner/name
	Revision string // branch, tag or commit
	Data     bool   // a data set, not a model
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
	return newRef(repo, rev, Scheme)
}

// ParseDataRef reads hf-data:owner/name[/path][@revision]. The path names a file or a folder of the data set, or is a pattern of such names.
func ParseDataRef(ref string) (r Ref, path string, err error) {
	rest, ok := strings.CutPrefix(ref, DataScheme)
	if !ok {
		return Ref{}, "", fmt.Errorf("hub: found %q, expected %sowner/name, %sowner/name/path or either with @revision", ref, DataScheme, DataScheme)
	}
	rev := DefaultRevision
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest, rev = rest[:at], rest[at+1:]
	}
	repo := rest
	if parts := strings.SplitN(rest, "/", 3); len(parts) == 3 {
		repo, path = parts[0]+"/"+parts[1], parts[2]
	}
	r, err = newRef(repo, rev, DataScheme)
	r.Data = true
	return r, path, err
}

// newRef checks the parts of a reference.
func newRef(repo, rev, scheme string) (Ref, error) {
	owner, name, ok := strings.Cut(repo, "/")
	if !ok {
		return Ref{}, fmt.Errorf("hub: %q names no owner, expected %sowner/name (gpt2, for one, is %sopenai-community/gpt2)", scheme+repo, scheme, Scheme)
	}
	for _, part := range []string{owner, name} {
		// "--" separates the parts in the names of the cache's folders, so the hub forbids it in names.
		if !namePart.MatchString(part) || strings.Contains(part, "--") || strings.Contains(part, "..") {
			return Ref{}, fmt.Errorf("hub: %q is not a name the hub allows, expected %sowner/name of letters, digits, '-', '_' and '.'", part, scheme)
		}
	}
	if !revision.MatchString(rev) || strings.Contains(rev, "..") || !filepath.IsLocal(rev) {
		return Ref{}, fmt.Errorf("hub: %q is not a revision, expected a branch, a tag or a commit after the @ of %sowner/name@revision", rev, scheme)
	}
	return Ref{Repo: repo, Revision: rev}, nil
}

// scheme of the reference.
func (r Ref) scheme() string {
	if r.Data {
		return DataScheme
	}
	return Scheme
}

// String is the reference in the form that [ParseRef] or [ParseDataRef] reads.
func (r Ref) String() string { return r.scheme() + r.Repo + "@" + r.Revision }

// url is the place of a file, or of all, below the hub's address: models stand at its top, data sets in a folder.
func (r Ref) url(parts ...string) []string {
	if r.Data {
		return append([]string{string(hfhub.RepoTypeDataset), r.Repo}, parts...)
	}
	return append([]string{r.Repo}, parts...)
}

// repoType is the hub's word for what the repository holds.
func (r Ref) repoType() string {
	if r.Data {
		return string(hfhub.RepoTypeDataset)
	}
	return string(hfhub.RepoTypeModel)
}

// escaped is a file's name as part of an address.
func escaped(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
