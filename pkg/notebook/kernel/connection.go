package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/go-zeromq/zmq4"
)

// connectionFile tells a kernel where to listen. https://jupyter-client.readthedocs.io/en/latest/kernels.html#connection-files
type connectionFile struct {
	IP              string `json:"ip"`
	Transport       string `json:"transport"`
	SignatureScheme string `json:"signature_scheme"`
	Key             string `json:"key"`
	KernelName      string `json:"kernel_name"`
	ShellPort       int    `json:"shell_port"`
	ControlPort     int    `json:"control_port"`
	StdinPort       int    `json:"stdin_port"`
	IOPubPort       int    `json:"iopub_port"`
	HBPort          int    `json:"hb_port"`
}

// newConnectionFile picks five free ports of the loopback interface. They are free when chosen; another program may take one
// before the kernel listens, so Start tries again with others when the kernel exits at once.
func newConnectionFile(path string) (*connectionFile, error) {
	c := &connectionFile{
		IP:              "127.0.0.1",
		Transport:       "tcp",
		SignatureScheme: "hmac-sha256",
		Key:             randomID(),
		KernelName:      "gonb",
	}
	for _, port := range []*int{&c.ShellPort, &c.ControlPort, &c.StdinPort, &c.IOPubPort, &c.HBPort} {
		listener, err := net.Listen("tcp", c.IP+":0")
		if err != nil {
			return nil, fmt.Errorf("no free port on %s for the kernel: %w", c.IP, err)
		}
		defer listener.Close() // all five are held until all are chosen
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	return c, os.WriteFile(path, data, 0o600) // the key signs what the kernel executes
}

// sockets are the client's ends of a kernel's five sockets.
type sockets struct {
	shell, control, stdin, iopub, heartbeat zmq4.Socket
}

// dial connects to a kernel that may not listen yet; it tries until ctx ends.
func (c *connectionFile) dial(ctx context.Context, session string) (*sockets, error) {
	options := []zmq4.Option{
		zmq4.WithLogger(log.New(io.Discard, "", 0)),
		zmq4.WithDialerRetry(20 * time.Millisecond),
		zmq4.WithDialerMaxRetries(-1),
	}
	identity := zmq4.WithID(zmq4.SocketIdentity(session)) // the kernel's answers on stdin are routed by shell's identity
	s := &sockets{
		iopub:     zmq4.NewSub(ctx, options...),
		shell:     zmq4.NewDealer(ctx, append(options, identity)...),
		control:   zmq4.NewDealer(ctx, append(options, identity)...),
		stdin:     zmq4.NewDealer(ctx, append(options, identity)...),
		heartbeat: zmq4.NewReq(ctx, options...),
	}
	for _, connect := range []struct {
		socket zmq4.Socket
		port   int
		name   string
	}{
		{s.iopub, c.IOPubPort, "iopub"}, {s.shell, c.ShellPort, "shell"}, {s.control, c.ControlPort, "control"},
		{s.stdin, c.StdinPort, "stdin"}, {s.heartbeat, c.HBPort, "heartbeat"},
	} {
		if err := connect.socket.Dial(fmt.Sprintf("tcp://%s:%d", c.IP, connect.port)); err != nil {
			s.close()
			return nil, fmt.Errorf("the kernel's %s socket: %w", connect.name, err)
		}
	}
	if err := s.iopub.SetOption(zmq4.OptionSubscribe, ""); err != nil {
		s.close()
		return nil, fmt.Errorf("subscribing to the kernel's outputs: %w", err)
	}
	return s, nil
}

func (s *sockets) close() {
	for _, socket := range []zmq4.Socket{s.shell, s.control, s.stdin, s.iopub, s.heartbeat} {
		socket.Close()
	}
}
