package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// attempts in a row that bring no byte before a download is given up; one that moves is never given up.
	attempts = 4
	// patience is the longest wait a hub may ask for that is waited; a longer one is an error that names it.
	patience = 15 * time.Second
	// bufferSize of a copy, in bytes.
	bufferSize = 256 << 10
)

// download brings one file to path, going on from what is there.
type download struct {
	client *client
	ref    Ref
	commit string
	file   file
	path   string
	meter  *meter
}

// errAgain marks what another attempt may mend; wait is what the server asked for.
type errAgain struct {
	err  error
	wait time.Duration
}

func (e *errAgain) Error() string { return e.err.Error() }
func (e *errAgain) Unwrap() error { return e.err }

func (d *download) run(ctx context.Context) error {
	out, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return fmt.Errorf("hub: the cache cannot be written (%w): set HF_HUB_CACHE to a folder that can", err)
	}
	defer out.Close()
	sum, have, err := d.resumeFrom(out)
	if err != nil {
		return err
	}
	d.meter.at(d.file, have, 0)
	pause := d.client.pause
	for idle := 0; have < d.file.Size; {
		before := have
		have, err = d.attempt(ctx, out, sum, have)
		if err == nil {
			continue
		}
		var again *errAgain
		if !errors.As(err, &again) {
			return err
		}
		if have > before {
			idle, pause = 0, d.client.pause
			continue
		}
		if idle++; idle >= attempts {
			return fmt.Errorf("hub: %s: %s stopped at %d of %d bytes (%w): what arrived is kept, run it again to continue", d.ref, d.file.Name, have, d.file.Size, again.err)
		}
		if err := sleep(ctx, max(pause, again.wait)); err != nil {
			return err
		}
		pause *= 2
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != d.file.Blob {
		out.Close()
		if err := removeIfThere(d.path); err != nil {
			return err
		}
		return fmt.Errorf("hub: %s: the bytes of %s have the hash %s, expected %s: they were thrown away, run it again", d.ref, d.file.Name, got, d.file.Blob)
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("hub: %s: %w", d.file.Name, err)
	}
	return nil
}

// begin feeds what precedes the bytes: git hashes "blob <size>\0" and the content, large files are hashed as they are.
func (d *download) begin(sum hash.Hash) {
	if len(d.file.Blob) == sha1.Size*2 {
		fmt.Fprintf(sum, "blob %d\x00", d.file.Size)
	}
}

// resumeFrom hashes the part that an earlier download left. A part longer than the file is none of it.
func (d *download) resumeFrom(out *os.File) (hash.Hash, int64, error) {
	var sum hash.Hash
	if len(d.file.Blob) == sha1.Size*2 {
		sum = sha1.New() // git's name for the content, not a defence: see begin.
	} else {
		sum = sha256.New()
	}
	d.begin(sum)
	stat, err := out.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("hub: %w", err)
	}
	if stat.Size() > d.file.Size {
		if err := out.Truncate(0); err != nil {
			return nil, 0, fmt.Errorf("hub: %w", err)
		}
		return sum, 0, nil
	}
	have, err := io.Copy(sum, out)
	if err != nil {
		return nil, 0, fmt.Errorf("hub: %s: %w", d.path, err)
	}
	return sum, have, nil
}

// attempt asks for the bytes from have on, writes what comes and returns how many there are now.
func (d *download) attempt(ctx context.Context, out *os.File, sum hash.Hash, have int64) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := errors.New("no byte for " + d.client.stall.String())
	watchdog := time.AfterFunc(d.client.stall, func() { cancel(stalled) })
	defer watchdog.Stop()

	r, err := d.client.request(ctx, http.MethodGet, d.ref.url("resolve", d.commit, escaped(d.file.Name))...)
	if err != nil {
		return have, err
	}
	if have > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := d.client.do(r)
	if err != nil {
		if errors.As(err, new(*unreachableError)) || errors.Is(context.Cause(ctx), stalled) {
			return have, &errAgain{err: err}
		}
		return have, err
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code == http.StatusPartialContent && have > 0:
		if from := rangeStart(response.Header.Get("Content-Range")); from != have {
			return have, fmt.Errorf("hub: %s: asked for %s from byte %d, the server sent it from byte %d", d.ref, d.file.Name, have, from)
		}
	case code == http.StatusOK:
		// A server that cannot continue in the middle sends the whole file.
		if have, err = 0, d.restart(out, sum); err != nil {
			return have, err
		}
	case code == http.StatusRequestedRangeNotSatisfiable && have > 0:
		return 0, &errAgain{err: errors.Join(errors.New("the server cannot continue in the middle of the file"), d.restart(out, sum))}
	case code < 500 && response.Request.URL.Host != d.client.endpoint.Host:
		// Not the hub's word, but that of the server it redirected to, whose links expire: the next attempt gets a new one.
		return have, &errAgain{err: fmt.Errorf("%s answered %d", response.Request.URL.Host, code)}
	case code == http.StatusTooManyRequests || code >= 500:
		err := d.client.statusError(d.ref, response)
		wait := retryAfter(response.Header.Get("Retry-After"))
		if wait > patience {
			return have, fmt.Errorf("%w; the hub asks to wait %s", err, wait)
		}
		return have, &errAgain{err: err, wait: wait}
	default:
		return have, d.client.statusError(d.ref, response)
	}
	return d.copy(ctx, out, sum, have, response.Body, watchdog)
}

// restart throws away the part that was there.
func (d *download) restart(out *os.File, sum hash.Hash) error {
	sum.Reset()
	d.begin(sum)
	d.meter.at(d.file, 0, 0)
	if err := out.Truncate(0); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

func (d *download) copy(ctx context.Context, out *os.File, sum hash.Hash, have int64, body io.Reader, watchdog *time.Timer) (int64, error) {
	buffer := make([]byte, bufferSize)
	for have < d.file.Size {
		n, readErr := body.Read(buffer[:min(int64(len(buffer)), d.file.Size-have)])
		if n > 0 {
			watchdog.Reset(d.client.stall)
			if _, err := out.WriteAt(buffer[:n], have); err != nil {
				return have, fmt.Errorf("hub: %s: %w: make room, or set HF_HUB_CACHE to another disk; what arrived is kept", d.file.Name, err)
			}
			sum.Write(buffer[:n])
			have += int64(n)
			d.meter.at(d.file, have, int64(n))
		}
		switch {
		case readErr == nil:
		case have == d.file.Size:
		case errors.Is(readErr, io.EOF):
			return have, &errAgain{err: errors.New("the connection ended before the file did")}
		case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled):
			return have, fmt.Errorf("hub: %s: %w", d.file.Name, context.Cause(ctx))
		default:
			return have, &errAgain{err: fmt.Errorf("the connection broke: %v", readErr)}
		}
	}
	return have, nil
}

// rangeStart reads the first byte of "bytes 100-199/200"; -1 is a header that is none.
func rangeStart(header string) int64 {
	rest, ok := strings.CutPrefix(header, "bytes ")
	first, _, ok2 := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if !ok || !ok2 || err != nil {
		return -1
	}
	return n
}

// retryAfter reads a wait in seconds; the date form is rare enough to be taken for none.
func retryAfter(header string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(header))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}
