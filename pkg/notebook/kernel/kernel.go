package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
)

const (
	startTimeout    = 60 * time.Second       // GoNB answers within 0.3 s; a loaded machine gets time
	askAgain        = 250 * time.Millisecond // between requests for the kernel's information while it starts
	shutdownTimeout = 5 * time.Second        // for an orderly end, before the kernel is killed
	heartbeatEvery  = 10 * time.Second
	heartbeatLost   = 2 * time.Minute // compilers starve a kernel on few cores: only a hung one is silent that long
)

// Options say which kernel to start, and where.
type Options struct {
	Tools Tools    // the pinned binaries, from BuildTools
	Dir   string   // the kernel's working directory: the notebook's folder, as in Jupyter
	Env   []string // the kernel's environment, usually from Environment
	Built bool     // all that the cells import is built from the checkout's versions ([Prebuild]): nothing is looked up in the network before each cell
}

// Kernel is a running GoNB process and the connection to it. One goroutine at a time may use it.
type Kernel struct {
	id      string
	key     []byte
	scratch *scratch // for the connection file and GoNB's and the cells' temporary files
	log     *tail    // what the kernel itself prints, its log
	process *os.Process
	sockets *sockets

	exited   chan struct{} // closed when the process has ended, after exitErr is set
	exitErr  error
	hung     chan struct{} // closed when the heartbeat has stopped
	shell    chan *message
	iopub    chan *message
	stdin    chan *message
	stop     context.CancelFunc // ends the readers
	handlers map[string]func(*message)
	headless headless
	close    sync.Once
}

// ErrDied is the reason when the kernel's process ends or hangs while it should run a cell.
var ErrDied = errors.New("the kernel died")

// Start starts GoNB and returns when it answers. Close it in any case.
func Start(ctx context.Context, options Options) (*Kernel, error) {
	var err error
	for range 3 { // a port may be taken between choosing it and the kernel's listening
		var k *Kernel
		if k, err = startOnce(ctx, options); err == nil {
			return k, nil
		}
		if ctx.Err() != nil || !errors.Is(err, ErrDied) {
			break
		}
	}
	return nil, fmt.Errorf("starting the GoNB kernel: %w", err)
}

func startOnce(ctx context.Context, options Options) (*Kernel, error) {
	scratch, err := newScratch()
	if err != nil {
		return nil, err
	}
	k := &Kernel{
		id:       scratch.id,
		scratch:  scratch,
		log:      &tail{limit: 64 << 10},
		exited:   make(chan struct{}),
		hung:     make(chan struct{}),
		shell:    make(chan *message, 16),
		iopub:    make(chan *message, 256),
		stdin:    make(chan *message, 1),
		handlers: map[string]func(*message){},
	}
	file := filepath.Join(scratch.dir, "kernel-"+k.id+".json")
	connection, err := newConnectionFile(file)
	if err != nil {
		scratch.close()
		return nil, err
	}
	k.key = []byte(connection.Key)

	// Text errors (--raw_error): the HTML ones are unreadable in a terminal and in a diff.
	cmd := exec.Command(options.Tools.Gonb, "--kernel", file, "--raw_error", "--logtostderr")
	cmd.Dir = options.Dir
	cmd.Env = scratch.environment(options.Env)
	cmd.Stdout, cmd.Stderr = k.log, k.log
	cmd.WaitDelay = time.Second // do not wait for grandchildren that inherited the log
	if err := k.start(cmd); err != nil {
		scratch.close()
		return nil, err
	}
	if err := k.connect(ctx, connection); err != nil {
		k.Kill()
		return nil, err
	}
	k.headless = newHeadless(scratch.dir, options.Built)
	return k, nil
}

// start runs the process from a goroutine that keeps its thread: the system would otherwise take the end of the
// thread for the end of the parent and end the kernel (Pdeathsig).
func (k *Kernel) start(cmd *exec.Cmd) error {
	ownGroup(cmd)
	endWithParent(cmd)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		k.process = cmd.Process
		started <- nil
		k.exitErr = cmd.Wait()
		close(k.exited)
	}()
	return <-started
}

// connect dials the sockets, starts reading them and waits until answers arrive on shell and on IOPub: a subscription takes
// effect some time after it was made, and outputs sent before are lost.
func (k *Kernel) connect(ctx context.Context, connection *connectionFile) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	go func() { // dialing tries until its context ends: end it with the kernel
		select {
		case <-k.exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	life, stop := context.WithCancel(context.Background())
	k.stop = stop
	dialed := make(chan error, 1)
	go func() {
		var err error
		k.sockets, err = connection.dial(life, k.id)
		dialed <- err
	}()
	select {
	case err := <-dialed:
		if err != nil {
			return k.startError(err)
		}
	case <-ctx.Done():
		stop()
		<-dialed
		return k.startError(ctx.Err())
	}
	go k.read(life, k.sockets.shell, k.shell)
	go k.read(life, k.sockets.iopub, k.iopub)
	go k.read(life, k.sockets.stdin, k.stdin)
	go k.read(life, k.sockets.control, nil)
	go k.heartbeat(life)

	ask := time.NewTicker(askAgain)
	defer ask.Stop()
	for replied, published := false, false; !replied || !published; {
		request, err := newMessage(k.id, "kernel_info_request", map[string]any{})
		if err != nil {
			return err
		}
		if err := k.send(k.sockets.shell, request); err != nil {
			return k.startError(err)
		}
		select {
		case <-k.shell:
			replied = true
		case <-k.iopub:
			published = true
		case <-ctx.Done():
			return k.startError(ctx.Err())
		}
		select { // the other answer follows at once, unless the subscription is not in effect yet
		case <-k.shell:
			replied = true
		case <-k.iopub:
			published = true
		case <-ask.C:
		case <-ctx.Done():
			return k.startError(ctx.Err())
		}
	}
	return nil
}

// startError explains a kernel that did not come up with its own last words.
func (k *Kernel) startError(err error) error {
	select {
	case <-k.exited:
		return fmt.Errorf("%w (%v):\n%s", ErrDied, exitText(k.exitErr), k.log)
	default:
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s:\n%s", startTimeout, k.log)
	}
	return err
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// read passes a socket's messages on; a nil channel drops them.
func (k *Kernel) read(ctx context.Context, socket zmq4.Socket, to chan<- *message) {
	for {
		raw, err := socket.Recv()
		if err != nil {
			return // the kernel or this client has closed the connection
		}
		msg, err := parseFrames(raw.Frames, k.key)
		if err != nil || to == nil {
			continue // not from our kernel: it knows the key
		}
		msg.Content = asWritten(msg.Content)
		select {
		case to <- msg:
		case <-ctx.Done():
			return
		}
	}
}

func (k *Kernel) send(socket zmq4.Socket, msg *message) error {
	frames, err := msg.frames(k.key)
	if err != nil {
		return err
	}
	return socket.SendMulti(frames)
}

// heartbeat asks the kernel for an echo now and then; a process that exists and does not answer hangs.
func (k *Kernel) heartbeat(ctx context.Context) {
	for {
		select {
		case <-time.After(heartbeatEvery):
		case <-ctx.Done():
			return
		}
		if err := k.sockets.heartbeat.Send(zmq4.NewMsgString("ping")); err != nil {
			return // the end of the process says more
		}
		silence := time.AfterFunc(heartbeatLost, func() { close(k.hung) })
		_, err := k.sockets.heartbeat.Recv()
		if !silence.Stop() || err != nil {
			return
		}
	}
}

// ID is the kernel's id. Everything its cells start inherits it as ATTUNE_KERNEL_ID.
func (k *Kernel) ID() string { return k.id }

// Close ends the kernel in an orderly way, kills it if that takes too long, and kills what its cells left running.
func (k *Kernel) Close() {
	if k.sockets != nil && !k.dead() {
		request, err := newMessage(k.id, "shutdown_request", map[string]any{"restart": false})
		if err == nil && k.send(k.sockets.control, request) == nil {
			select {
			case <-k.exited:
			case <-time.After(shutdownTimeout):
			}
		}
	}
	k.Kill()
}

// Kill ends the kernel and every process its cells started, at once.
func (k *Kernel) Kill() {
	k.close.Do(func() {
		killGroup(k.process.Pid)
		killMarked(k.scratch.mark())
		<-k.exited
		if k.stop != nil {
			k.stop()
		}
		if k.sockets != nil {
			k.sockets.close()
		}
		k.scratch.close()
	})
}

func (k *Kernel) dead() bool {
	select {
	case <-k.exited:
		return true
	case <-k.hung:
		return true
	default:
		return false
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu    sync.Mutex
	limit int
	data  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if extra := len(t.data) - t.limit; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.data))
}
