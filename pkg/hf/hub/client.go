package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	hfhub "github.com/gomlx/go-huggingface/hub"
)

const (
	defaultEndpoint = "https://huggingface.co"

	// A hub that is there answers within these; one that is not should cost seconds. huggingface_hub waits 10 s for metadata.
	connectTimeout = 4 * time.Second
	answerTimeout  = 10 * time.Second
	// A download that moves no byte for so long is taken up again.
	stallTimeout = 30 * time.Second

	// maxListing bounds the hub's description of a repository: the largest known are a few MB.
	maxListing = 64 << 20
	// maxSmall bounds a token and a reference.
	maxSmall   = 64 << 10
	maxMessage = 300 // characters of the hub's own words in an error
	maxRedirs  = 5
)

// client talks to one hub.
type client struct {
	endpoint *url.URL
	token    string
	http     *http.Client
	// pause is the first wait before trying again; it doubles. stall is how long a download may stand still. Tests shorten both.
	pause, stall time.Duration
}

func newClient(o Options, token string) (*client, error) {
	address := o.Endpoint
	if address == "" {
		address = os.Getenv("HF_ENDPOINT")
	}
	if address == "" {
		address = defaultEndpoint
	}
	endpoint, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http" {
		return nil, fmt.Errorf("hub: HF_ENDPOINT is not an address, expected one like %s", defaultEndpoint)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() // Keeps the proxy of the environment.
	transport.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
	transport.TLSHandshakeTimeout = connectTimeout
	transport.ResponseHeaderTimeout = answerTimeout
	c := &client{endpoint: endpoint, token: token, pause: time.Second, stall: stallTimeout}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.redirect}
	return c, nil
}

// redirect lets a download go to another server, without the token: net/http would keep it for another port of the same
// host and for subdomains.
func (c *client) redirect(next *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirs {
		return fmt.Errorf("more than %d redirects", maxRedirs)
	}
	if via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return errors.New("a redirect from https to " + next.URL.Scheme)
	}
	if next.URL.Host != c.endpoint.Host || next.URL.Scheme != c.endpoint.Scheme {
		next.Header.Del("Authorization")
	}
	return nil
}

func (c *client) request(ctx context.Context, method string, parts ...string) (*http.Request, error) {
	u := c.endpoint.JoinPath(parts...)
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	r.Header.Set("User-Agent", hfhub.DefaultHttpUserAgent()+"; attune")
	// A compressed body has another length and other offsets than the file.
	r.Header.Set("Accept-Encoding", "identity")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return r, nil
}

// do sends the request. The error of a connection that failed names the host and path, never the query: a CDN's query is a key.
func (c *client) do(r *http.Request) (*http.Response, error) {
	response, err := c.http.Do(r)
	if err == nil {
		return response, nil
	}
	if ctxErr := r.Context().Err(); ctxErr != nil {
		return nil, fmt.Errorf("hub: %s %s: %w", r.Method, place(r.URL), context.Cause(r.Context()))
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return nil, &unreachableError{fmt.Sprintf("hub: %s cannot be reached: %v", r.URL.Host, err)}
}

func place(u *url.URL) string { return u.Host + u.Path }

// unreachableError is a hub that did not answer, or only that it is out of order.
type unreachableError struct{ text string }

func (e *unreachableError) Error() string { return e.text }

// statusError turns an answer other than the expected one into an error that says what to do.
func (c *client) statusError(ref Ref, response *http.Response) error {
	said := response.Header.Get("X-Error-Message")
	if said == "" {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		var message struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(body, &message) == nil {
			said = message.Error
		}
	}
	if runes := []rune(said); len(runes) > maxMessage {
		said = string(runes[:maxMessage]) + "..."
	}
	if said == "" {
		said = http.StatusText(response.StatusCode)
	}
	code := response.StatusCode
	switch {
	case code == http.StatusUnauthorized && c.token == "":
		return fmt.Errorf("hub: %s: %w (%d: %s): check the name; if it is gated or private, set HF_TOKEN or run `hf auth login`", ref, ErrForbidden, code, said)
	case code == http.StatusUnauthorized:
		return fmt.Errorf("hub: %s: %w (%d: %s): check the name, and that HF_TOKEN holds a token that is still valid", ref, ErrForbidden, code, said)
	case code == http.StatusForbidden:
		return fmt.Errorf("hub: %s: %w (%d: %s): accept its terms on its page, and use a token that may read what is gated", ref, ErrForbidden, code, said)
	case code == http.StatusNotFound:
		return fmt.Errorf("hub: %s: %w (%d: %s): check the owner, the name and the revision", ref, ErrNotFound, code, said)
	case code == http.StatusTooManyRequests:
		return fmt.Errorf("hub: %s: %w (%d: %s): wait and run it again (a token raises the limit)", ref, ErrRateLimited, code, said)
	case code >= 500:
		return &unreachableError{fmt.Sprintf("hub: %s answered %d: %s", c.endpoint.Host, code, said)}
	}
	return fmt.Errorf("hub: %s: the hub answered %d: %s", ref, code, said)
}

// listing asks what the revision stands at and what it holds. A server that is out of order is asked once more: the answer is small and
// the cache may have a copy.
func (c *client) listing(ctx context.Context, ref Ref) (commit string, files []file, err error) {
	for again := false; ; again = true {
		commit, files, err = c.askListing(ctx, ref)
		var unreachable *unreachableError
		if err == nil || again || !errors.As(err, &unreachable) || !strings.Contains(unreachable.text, " answered ") {
			return commit, files, err
		}
		if err := sleep(ctx, c.pause); err != nil {
			return "", nil, err
		}
	}
}

func (c *client) askListing(ctx context.Context, ref Ref) (commit string, files []file, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*answerTimeout, errors.New("the hub's answer took too long"))
	defer cancel()
	r, err := c.request(ctx, http.MethodGet, "api", ref.repoType(), ref.Repo, "revision", url.PathEscape(ref.Revision))
	if err != nil {
		return "", nil, err
	}
	r.URL.RawQuery = "blobs=true" // Names the hash and the size of every file.
	response, err := c.do(r)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", nil, c.statusError(ref, response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxListing+1))
	if err != nil {
		return "", nil, &unreachableError{fmt.Sprintf("hub: %s broke off its answer: %v", c.endpoint.Host, err)}
	}
	if len(text) > maxListing {
		return "", nil, fmt.Errorf("hub: %s: the hub's description of the repository is larger than %d MB", ref, maxListing>>20)
	}
	// Two members of hfhub.RepoInfo: a model card whose license is a list, or a date it cannot read, is no reason to fail.
	var info struct {
		CommitHash string            `json:"sha"`
		Siblings   []*hfhub.FileInfo `json:"siblings"`
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return "", nil, fmt.Errorf("hub: %s: the answer of %s is not a repository's description (%v): check HF_ENDPOINT", ref, c.endpoint.Host, err)
	}
	if !fullCommit.MatchString(info.CommitHash) {
		return "", nil, fmt.Errorf("hub: %s: the answer of %s names no commit: check HF_ENDPOINT", ref, c.endpoint.Host)
	}
	if fullCommit.MatchString(ref.Revision) && info.CommitHash != ref.Revision {
		return "", nil, fmt.Errorf("hub: %s: the hub answered with commit %s instead", ref, info.CommitHash)
	}
	files = make([]file, 0, len(info.Siblings))
	for _, s := range info.Siblings {
		if s == nil {
			continue
		}
		f := file{Name: s.Name, Size: s.Size, Blob: s.BlobID}
		if s.LFS != nil {
			f.Size, f.Blob = s.LFS.Size, s.LFS.SHA256
		}
		files = append(files, f)
	}
	return info.CommitHash, files, nil
}

// headers asks for the size and the hash of a file, from a hub whose listing does not name them. The hub answers a large file
// with a redirect that carries both, so redirects are not followed.
func (c *client) headers(ctx context.Context, ref Ref, commit string, f file) (file, error) {
	r, err := c.request(ctx, http.MethodHead, ref.url("resolve", commit, escaped(f.Name))...)
	if err != nil {
		return file{}, err
	}
	still := *c.http
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := (&client{http: &still}).do(r)
	if err != nil {
		return file{}, err
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		return file{}, c.statusError(ref, response)
	}
	etag := response.Header.Get(hfhub.HeaderXLinkedETag)
	if etag == "" {
		etag = response.Header.Get("ETag")
	}
	f.Blob = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	f.Size = response.ContentLength
	if linked := response.Header.Get(hfhub.HeaderXLinkedSize); linked != "" {
		if _, err := fmt.Sscan(linked, &f.Size); err != nil {
			return file{}, fmt.Errorf("hub: %s: the hub gives %s the size %q", ref, f.Name, linked)
		}
	}
	return f, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("hub: %w", context.Cause(ctx))
	case <-time.After(d):
		return nil
	}
}
