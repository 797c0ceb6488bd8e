package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

// Client reaches one worker. Its methods may be called concurrently; the worker answers one request at a time.
type Client struct {
	place   place
	sources string
	out     io.Writer // where building and starting are told
}

// Dial finds the worker of this kernel, or of this process where there is no kernel. It starts nothing: the first [Client.Do] does, and tells on out how far it is.
func Dial(out io.Writer) (*Client, error) {
	root, err := env.Root()
	if err != nil {
		return nil, err
	}
	sources, err := Sources(root)
	if err != nil {
		return nil, err
	}
	p, err := findPlace(root)
	if err != nil {
		return nil, err
	}
	return &Client{place: p, sources: sources, out: out}, nil
}

// Do sends a request and calls each for every event but the last, until the answer ends. It returns the answer's error, an *[Error] where the worker refused.
// When ctx ends, the request is cancelled.
func (c *Client) Do(ctx context.Context, r Request, each func(Event) error) error {
	r.Sources, r.Profile = c.sources, profileOf(r.Kind, r.View)
	for attempt := 0; ; attempt++ {
		conn, err := c.connect(ctx, r.Profile)
		if err != nil {
			return err
		}
		err = c.ask(ctx, conn, r, each)
		var old *replacedError
		conn.Close()
		switch {
		case errors.As(err, &old) && attempt < 2:
			if err := old.wait(ctx); err != nil {
				return err
			}
			continue
		case errors.Is(err, errLost) && ctx.Err() == nil:
			return fmt.Errorf("%w; what it had finished is in the store and is not computed again: run the cell once more. The worker's log: %s", err, c.place.log)
		}
		return err
	}
}

var errLost = errors.New("the worker ended before it had answered")

// replacedError is the answer of a worker that ends for another.
type replacedError struct{ process string }

func (*replacedError) Error() string {
	return "the worker ends for another, of these sources and this profile"
}

// wait waits until the worker has ended: until then it may hold the device's memory.
func (e *replacedError) wait(ctx context.Context) error {
	p, err := ParseProcess(e.process)
	if err != nil || p.PID == os.Getpid() {
		return nil
	}
	for end := time.Now().Add(endPatience); p.Runs() && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// connect dials, starting a worker where none listens.
func (c *Client) connect(ctx context.Context, p env.Profile) (net.Conn, error) {
	var d net.Dialer
	if once := os.Getenv(env.Worker) == "once"; !once {
		if conn, err := d.DialContext(ctx, "unix", c.place.socket); err == nil {
			return conn, nil
		}
	}
	return c.start(ctx, p)
}

func (c *Client) ask(ctx context.Context, conn net.Conn, r Request, each func(Event) error) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("request %s: %w", r.Kind, err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return lost(ctx, err)
	}
	in := bufio.NewReaderSize(conn, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return lost(ctx, err)
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("the worker's answer is not an event: %w", err)
		}
		switch {
		case e.Error != nil:
			return e.Error
		case e.Replaced:
			return &replacedError{e.Process}
		case e.End:
			return nil
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

// lost is what a broken connection means.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w (%w)", errLost, err)
}

// Stop asks the worker to end, if there is one, and waits until it has.
func (c *Client) Stop(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.place.socket)
	if err != nil {
		return nil
	}
	defer conn.Close()
	return c.ask(ctx, conn, Request{Sources: c.sources, Kind: "stop"}, func(Event) error { return nil })
}
