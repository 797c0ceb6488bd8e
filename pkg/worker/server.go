package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Options of Serve.
type Options struct {
	Socket  string         // path of the Unix socket to listen on
	Owner   client.Process // Serve returns when it has ended; the zero value has no owner
	Sources string         // hash of the sources that this program was built from
	Profile env.Profile    // what this process compiles for; "" = env.Score
	Once    bool           // answer one request and return
	Idle    time.Duration  // return after so long without a request; 0 = client.IdleLimit
}

// Serve answers requests until ctx ends, the owner ends, nobody asked for a long time, or a request comes from other sources.
func Serve(ctx context.Context, o Options) error {
	if o.Profile == "" {
		o.Profile = env.Score
	}
	backend.For(o.Profile) // before anything opens it
	listener, err := net.Listen("unix", o.Socket)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	if err := os.Chmod(o.Socket, 0o600); err != nil {
		listener.Close()
		return fmt.Errorf("worker: %w", err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &server{options: o, stop: stop, session: newSession(), asked: make(chan struct{}, 1)}
	context.AfterFunc(ctx, func() { listener.Close() })
	go s.watch(ctx)
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			s.requests.Wait()
			if cause := context.Cause(ctx); cause != errDone {
				log.Print(cause)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		s.requests.Go(func() {
			defer conn.Close()
			s.answer(ctx, conn)
			if o.Once {
				stop(errDone)
			}
		})
	}
}

var errDone = errors.New("done")

type server struct {
	options  Options
	stop     context.CancelCauseFunc
	requests sync.WaitGroup
	turn     sync.Mutex // one request at a time
	waiting  sync.Map   // *events of those that wait for it
	replaced bool       // by a worker of another profile; under turn
	session  *session
	asked    chan struct{}
}

// watch ends the server with its owner, and when nobody asks.
func (s *server) watch(ctx context.Context) {
	idle := s.options.Idle
	if idle == 0 {
		idle = client.IdleLimit
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.asked:
			last = time.Now()
		case <-tick.C:
			if s.options.Owner != (client.Process{}) && !s.options.Owner.Runs() {
				log.Print("the owner has ended")
				os.Remove(s.options.Socket)
				os.Exit(0) // also out of a compilation
			}
			if time.Since(last) > idle && s.turn.TryLock() {
				s.turn.Unlock()
				s.stop(fmt.Errorf("nobody asked for %v", idle))
			}
		}
	}
}

// answer reads one request and writes its events.
func (s *server) answer(ctx context.Context, conn net.Conn) {
	out := &events{conn: conn, encoder: json.NewEncoder(conn)}
	in := bufio.NewReaderSize(conn, 1<<20)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return
	}
	var r client.Request
	if err := json.Unmarshal(line, &r); err != nil {
		out.send(client.Failure(fmt.Errorf("the request is malformed: %w", err)))
		return
	}
	if r.Sources != s.options.Sources && r.Kind != "stop" {
		s.makeWay(out, errors.New("the sources were edited: another worker takes over"))
		return
	}
	if r.Kind == "stop" {
		out.send(client.Event{End: true})
		s.stop(errDone)
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() { // the asker says nothing more: reading ends when it has gone
		_, err := in.ReadByte()
		if err == nil {
			err = errors.New("the asker sent more than one line")
		}
		cancel(fmt.Errorf("cancelled: %w", err))
	}()
	context.AfterFunc(ctx, func() {
		select {
		case <-done:
		case <-time.After(client.CancelGrace): // in a compilation, which cannot be stopped
			log.Print("a cancelled request did not end: the worker ends itself")
			os.Remove(s.options.Socket)
			s.sendAway()
			os.Exit(3)
		}
	})
	s.waiting.Store(out, nil)
	s.turn.Lock()
	defer s.turn.Unlock()
	s.waiting.Delete(out)
	if s.replaced || r.Profile != "" && r.Profile != s.options.Profile {
		s.replaced = true // whoever waits asks the next worker, too
		s.makeWay(out, fmt.Errorf("a request needs the profile %q, this worker has %q: another takes over", r.Profile, s.options.Profile))
		return
	}
	if ctx.Err() != nil {
		return
	}
	select {
	case s.asked <- struct{}{}:
	default:
	}
	if err := s.run(ctx, &r, out); err != nil {
		out.send(client.Failure(err))
		return
	}
	out.send(client.Event{End: true})
}

// makeWay ends the server for another, which listens at the same socket.
func (s *server) makeWay(out *events, why error) {
	os.Remove(s.options.Socket)
	out.send(replaced())
	s.stop(why)
}

// sendAway tells those that wait to ask the next worker.
func (s *server) sendAway() {
	s.waiting.Range(func(out, _ any) bool {
		out.(*events).send(replaced())
		return true
	})
}

// replaced sends whoever asks to the next worker, once this process has ended.
func replaced() client.Event {
	e := client.Event{Replaced: true}
	if self, err := client.FindProcess(os.Getpid()); err == nil {
		e.Process = self.String()
	}
	return e
}

// run calls the handler of a kind. What panics, such as building a graph, becomes an error.
func (s *server) run(ctx context.Context, r *client.Request, out *events) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Printf("request %s %s: panic: %v\n%s", r.Kind, r.View, p, debug.Stack())
			err = fmt.Errorf("%s: %v", r.Kind, p)
		}
	}()
	handle := handlers[r.Kind]
	if handle == nil {
		return fmt.Errorf("the worker knows no request %q", r.Kind)
	}
	if r.Dry {
		handle = planned
	}
	start := time.Now()
	err = handle(ctx, &job{Request: r, session: s.session, out: out})
	log.Printf("%s %s: %.3f s, error %v", r.Kind, r.View, time.Since(start).Seconds(), err)
	return err
}

// events writes an answer; several goroutines may tell progress.
type events struct {
	mu      sync.Mutex
	conn    net.Conn
	encoder *json.Encoder
	each    func(client.Event) // in place of the connection: of a part, which nobody listens to
}

func (e *events) send(event client.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.each != nil {
		e.each(event)
		return
	}
	if err := e.encoder.Encode(event); err != nil {
		var gone net.Error
		if !errors.As(err, &gone) && !errors.Is(err, net.ErrClosed) { // the event itself cannot be sent
			_ = e.encoder.Encode(client.Failure(fmt.Errorf("an answer cannot be sent: %w", err)))
		}
	}
}
