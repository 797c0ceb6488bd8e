package engine

import (
	"fmt"
	"sync"
	"time"
)

// Progress says how far work is.
type Progress struct {
	Stage       string // "scoring", "observing", "generating"
	Done, Total int    // sequences, of all calls that are under way
	Compiling   string // what is being compiled, such as "width 256 (3 of 7)"; "" when nothing is
	Note        string // what the user should know, such as that rows were halved; once
}

// String is the progress as one line.
func (p Progress) String() string {
	s := fmt.Sprintf("%s %d of %d", p.Stage, p.Done, p.Total)
	if p.Compiling != "" {
		s += ", compiling " + p.Compiling
	}
	if p.Note != "" {
		s += "; " + p.Note
	}
	return s
}

// tick is how often listeners hear of work under way.
const tick = time.Second

// monitor adds up the calls that are under way and tells listeners every second, and after each pass but no more often than ten times a second.
type monitor struct {
	mu        sync.Mutex
	listeners map[int]func(Progress)
	next      int
	active    int
	now       Progress
	shapes    []string // being compiled, in order
	compiled  int      // graphs of the calls under way that are ready
	told      time.Time
	stop      chan struct{}
	speaking  sync.Mutex // listeners hear one thing at a time
}

// watch adds a listener, which must not call back into the runner, and returns what removes it.
func (m *monitor) watch(listener func(Progress)) (remove func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners == nil {
		m.listeners = map[int]func(Progress){}
	}
	id := m.next
	m.next++
	m.listeners[id] = listener
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.listeners, id)
	}
}

// begin counts a call in, and returns what counts it out.
func (m *monitor) begin(stage string, total int) (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.active == 0 {
		m.now, m.compiled = Progress{}, 0
		m.stop = make(chan struct{})
		go m.beat(m.stop)
	}
	m.active++
	m.now.Stage = stage
	m.now.Total += total
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.active--; m.active == 0 {
			close(m.stop)
		}
	}
}

// beat tells the listeners every second until the last call ends.
func (m *monitor) beat(stop chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			m.tell("")
		}
	}
}

// done counts sequences.
func (m *monitor) done(n int) {
	m.mu.Lock()
	m.now.Done += n
	quiet := time.Since(m.told) < tick/10 && m.now.Done < m.now.Total
	m.mu.Unlock()
	if !quiet {
		m.tell("")
	}
}

// compiling says that a graph is being compiled, and returns what says that it is ready.
func (m *monitor) compiling(shape string) (ready func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shapes = append(m.shapes, shape)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i, s := range m.shapes {
			if s == shape {
				m.shapes = append(m.shapes[:i:i], m.shapes[i+1:]...)
				break
			}
		}
		m.compiled++
	}
}

// tell gives the listeners the present state.
func (m *monitor) tell(note string) {
	m.speaking.Lock()
	defer m.speaking.Unlock()
	m.mu.Lock()
	p := m.now
	p.Note = note
	if len(m.shapes) > 0 {
		p.Compiling = fmt.Sprintf("%s (%d of %d)", m.shapes[0], m.compiled+1, m.compiled+len(m.shapes))
	}
	m.told = time.Now()
	var listeners []func(Progress)
	for _, l := range m.listeners {
		listeners = append(listeners, l)
	}
	m.mu.Unlock()
	for _, l := range listeners {
		l(p)
	}
}
