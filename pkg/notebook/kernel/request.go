package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// reply is how the kernel answers an execute_request.
type reply struct {
	Status         string   `json:"status"` // "ok" or "error"
	ExecutionCount int      `json:"execution_count"`
	Name           string   `json:"ename"`
	Value          string   `json:"evalue"`
	Traceback      []string `json:"traceback"`
}

var errAsksForInput = errors.New("the cell asks for input, and a headless run has nobody to type it: run it in Jupyter, or read the value from a parameter")

// Execute sends code to the kernel and returns its answer once all outputs have arrived. Every message of the IOPub channel that belongs
// to this code goes to handle, also one that arrives during a later Execute. When ctx ends, or the kernel dies,
// Execute returns an error; what the code started still runs then, so Kill the kernel.
func (k *Kernel) execute(ctx context.Context, code string, handle func(*message)) (*reply, error) {
	request, err := newMessage(k.id, "execute_request", map[string]any{
		"code":             code,
		"silent":           false,
		"store_history":    true,
		"user_expressions": map[string]any{},
		"allow_stdin":      false,
		"stop_on_error":    true,
	})
	if err != nil {
		return nil, err
	}
	k.handlers[request.Header.ID] = handle
	if err := k.send(k.sockets.shell, request); err != nil {
		return nil, k.died(err)
	}
	var answer *reply
	for idle := false; answer == nil || !idle; {
		select {
		case msg := <-k.shell:
			if msg.Parent.ID == request.Header.ID && msg.Header.Type == "execute_reply" {
				answer = &reply{}
				if err := msg.decode(answer); err != nil {
					return nil, fmt.Errorf("the kernel's answer: %w", err)
				}
			}
		case msg := <-k.iopub:
			k.dispatch(msg)
			idle = idle || isIdle(msg) && msg.Parent.ID == request.Header.ID
		case msg := <-k.stdin:
			if msg.Header.Type == "input_request" {
				return nil, errAsksForInput
			}
		case <-k.exited:
			k.drain()
			return nil, k.died(nil)
		case <-k.hung:
			return nil, fmt.Errorf("%w: no heartbeat for %s", ErrDied, heartbeatLost)
		case <-ctx.Done():
			k.drain()
			return nil, ctx.Err()
		}
	}
	return answer, nil
}

// dispatch gives a message to the code it belongs to.
func (k *Kernel) dispatch(msg *message) {
	if handle := k.handlers[msg.Parent.ID]; handle != nil {
		handle(msg)
	}
}

// drain takes the outputs that are still on their way.
func (k *Kernel) drain() {
	for {
		select {
		case msg := <-k.iopub:
			k.dispatch(msg)
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

func (k *Kernel) died(err error) error {
	select {
	case <-k.exited:
		return fmt.Errorf("%w (%s); the end of its log:\n%s", ErrDied, exitText(k.exitErr), k.log)
	case <-time.After(time.Second):
		return fmt.Errorf("%w: %v", ErrDied, err)
	}
}

func isIdle(msg *message) bool {
	if msg.Header.Type != "status" {
		return false
	}
	var status struct {
		State string `json:"execution_state"`
	}
	return msg.decode(&status) == nil && status.State == "idle"
}
