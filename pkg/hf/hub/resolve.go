package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Options say how a model is resolved. The zero value follows the environment, as the Python tools do.
type Options struct {
	// CacheDir is the cache; "" is HF_HUB_CACHE and its fallbacks (see the package's text).
	CacheDir string
	// Endpoint is the hub's address; "" is HF_ENDPOINT, or https://huggingface.co.
	Endpoint string
	// Offline forbids the network, as HF_HUB_OFFLINE=1 does.
	Offline bool
	// Progress, if set, is told how the download goes, about ten times a second and once at the end. Calls do not overlap.
	Progress func(Progress)
}

// Progress of one Resolve, over all files that had to be fetched.
type Progress struct {
	File        string // the file that moved last
	Done, Total int64  // bytes, those of an earlier, cut-off download included
}

// Info says what a reference resolved to. It holds no path of this machine, so it can be recorded.
type Info struct {
	Source   string `json:"source"`             // "directory", "hf" or "hf-data"
	Repo     string `json:"repo,omitempty"`     // owner/name
	Revision string `json:"revision,omitempty"` // as asked: branch, tag or commit
	Commit   string `json:"commit,omitempty"`   // what the revision stood at: 40 hex digits
	// Cached says that nothing was fetched.
	Cached bool `json:"cached"`
	// Offline says that the hub was not asked, or could not be, so that a branch may have moved since; Reason says why.
	Offline bool   `json:"offline,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Fetched int64  `json:"fetched_bytes"` // bytes that came over the network
}

// String pins the model: hf:owner/name@commit, or "directory".
func (i Info) String() string {
	if i.Source == sourceDirectory {
		return i.Source
	}
	return Ref{Repo: i.Repo, Revision: i.Commit, Data: i.Source == sourceData}.String()
}

const (
	sourceDirectory = "directory"
	sourceHub       = "hf"
	sourceData      = "hf-data"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrOffline: the hub cannot be reached, or must not be, and the cache has no complete copy.
	ErrOffline = errors.New("offline, and no complete copy in the cache")
	// ErrNotFound: the hub knows no such repository, revision or file, or hides it from this token.
	ErrNotFound = errors.New("not found on the hub")
	// ErrForbidden: the hub wants a token, or a token whose owner accepted the model's licence.
	ErrForbidden = errors.New("not allowed by the hub")
	// ErrRateLimited: the hub answered that there were too many requests.
	ErrRateLimited = errors.New("too many requests for the hub")
	// ErrNoSafetensors: the repository holds no safetensors weights.
	ErrNoSafetensors = errors.New("no safetensors weights")
)

// Resolve returns the directory of the model that ref names: ref itself if it is a directory, otherwise the snapshot of
// hf:owner/name[@revision] in the cache, fetched if need be. No error contains the token.
func Resolve(ctx context.Context, ref string, o Options) (dir string, info Info, err error) {
	if !strings.HasPrefix(ref, Scheme) {
		dir, err := directory(ref)
		if err != nil {
			return "", Info{}, scrub(err, "")
		}
		return dir, Info{Source: sourceDirectory, Cached: true}, nil
	}
	r, err := ParseRef(ref)
	if err != nil {
		return "", Info{}, err
	}
	token := readToken()
	c, err := newClient(o, token)
	if err != nil {
		return "", Info{}, scrub(err, token)
	}
	cache, err := openCache(o.CacheDir, r)
	if err != nil {
		return "", Info{}, scrub(err, token)
	}
	dir, info, err = (&resolver{ref: r, cache: cache, client: c, options: o}).resolve(ctx)
	if err != nil {
		return "", Info{}, scrub(err, token)
	}
	info.Reason = scrubText(info.Reason, token)
	return dir, info, nil
}

// directory checks that path is one, and tells a forgotten scheme from a mistyped path.
func directory(path string) (string, error) {
	stat, err := os.Stat(path)
	switch {
	case err == nil && stat.IsDir():
		return path, nil
	case err == nil:
		return "", fmt.Errorf("hub: %s is a file, expected the directory that holds config.json and the weights", path)
	case couldBeRepo(path):
		return "", fmt.Errorf("hub: there is no directory %s; a model on the hub is written %s%s", path, Scheme, path)
	}
	return "", fmt.Errorf("hub: there is no directory %s; expected a model's directory, or %sowner/name[@revision]", path, Scheme)
}

func couldBeRepo(path string) bool {
	_, err := ParseRef(Scheme + path)
	return err == nil
}

type resolver struct {
	ref     Ref
	cache   *cache
	client  *client
	options Options
}

func (r *resolver) resolve(ctx context.Context) (string, Info, error) {
	pinned := fullCommit.MatchString(r.ref.Revision)
	if pinned && r.cache.listedComplete(r.ref.Revision) {
		return r.found(r.ref.Revision, "")
	}
	if r.options.Offline || envTrue("HF_HUB_OFFLINE") {
		return r.fromCache("the network is switched off (HF_HUB_OFFLINE or Options.Offline)", nil)
	}
	commit, files, err := r.client.listing(ctx, r.ref)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, ErrNotFound) || !fallsBack(err) {
			return "", Info{}, err
		}
		return r.fromCache(whyCached(err), err)
	}
	listing, err := newListing(r.ref.Repo, commit, files)
	if err != nil {
		return "", Info{}, err
	}
	fetched, err := r.fetch(ctx, listing)
	if err != nil {
		return "", Info{}, err
	}
	if err := r.cache.finish(r.ref.Revision, listing); err != nil {
		return "", Info{}, err
	}
	return r.cache.snapshot(listing.commit), Info{
		Source: sourceHub, Repo: r.ref.Repo, Revision: r.ref.Revision, Commit: listing.commit, Cached: fetched == 0, Fetched: fetched,
	}, nil
}

// fallsBack says whether a cached copy may stand in: the hub is out of reach, overloaded, or does not let this token in.
func fallsBack(err error) bool {
	var unreachable *unreachableError
	return errors.As(err, &unreachable) || errors.Is(err, ErrForbidden) || errors.Is(err, ErrRateLimited)
}

func whyCached(err error) string {
	switch {
	case errors.Is(err, ErrForbidden):
		return "the hub does not let this token in"
	case errors.Is(err, ErrRateLimited):
		return "the hub takes no more requests for now"
	}
	return "the hub cannot be reached"
}

// fromCache is the answer without the hub: the commit the revision last stood at, if its snapshot is complete.
func (r *resolver) fromCache(why string, cause error) (string, Info, error) {
	commit, missing := r.cache.cachedCommit(r.ref.Revision)
	if commit == "" {
		if cause != nil && !errors.As(cause, new(*unreachableError)) {
			return "", Info{}, cause // Forbidden or rate limited says more than "offline".
		}
		detail := why
		if cause != nil {
			detail = cause.Error()
		}
		return "", Info{}, fmt.Errorf("hub: %s: %w (%s; %s in %s): connect once and run it again, or fetch it elsewhere with `hf download %s --revision %s` and copy that folder of the cache here",
			r.ref, ErrOffline, detail, missing, r.cache.root, r.ref.Repo, r.ref.Revision)
	}
	return r.found(commit, why)
}

func (r *resolver) found(commit, reason string) (string, Info, error) {
	return r.cache.snapshot(commit), Info{
		Source: sourceHub, Repo: r.ref.Repo, Revision: r.ref.Revision, Commit: commit, Cached: true, Offline: reason != "", Reason: reason,
	}, nil
}
