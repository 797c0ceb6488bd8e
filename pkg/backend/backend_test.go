package backend_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
)

func TestUnknownBackendsAreRefused(t *testing.T) {
	for _, name := range []string{"cuda", "gpu", "go:fast", "xla", "xla:"} {
		b, err := backend.Open(name)
		if err == nil {
			t.Errorf("%q opens %s", name, b.Description())
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("%q: the message does not name it: %v", name, err)
		}
	}
}

// TestGoMLXsVariableIsHonouredOrRefused: GOMLX_BACKEND is read where ATTUNE_BACKEND is unset, and what cannot be honoured is an error that names it.
func TestGoMLXsVariableIsHonouredOrRefused(t *testing.T) {
	for _, c := range []struct{ attune, gomlx, want, wrong string }{
		{"", "", "", ""},
		{"", "go", "go", ""},
		{"", "xla:cuda,tf32=true", "xla:cuda,tf32=true", ""},
		{"", "stablehlo:cpu", "xla:cpu", ""},
		{"go", "xla:cuda", "go", ""},
		{"", "go:parallelism=2", "", "options of its own"},
		{"", "xla", "", "names no backend"},
		{"", "xla:", "", "names no backend"},
		{"", "simplego", "", "names no backend"},
	} {
		t.Setenv(env.Backend, c.attune)
		t.Setenv(env.GoMLXBackend, c.gomlx)
		got, err := env.BackendName()
		if c.wrong == "" && (err != nil || got != c.want) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
		if c.wrong == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), env.GoMLXBackend) {
			t.Errorf("%+v: error %v", c, err)
		}
		if _, err := backend.FromEnv(); err == nil {
			t.Errorf("%+v: FromEnv opens a backend", c)
		}
	}
}

func TestOpeningWritesNothing(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	_, err = backend.Open("go")
	os.Stdout = stdout
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 1)
	if n, _ := r.Read(text); n != 0 {
		t.Error("opening the Go backend writes on standard output")
	}
}

// TestLargeProductsDoNotDeadlock runs several large matrix products in one graph and from several goroutines, which hung the Go backend's default
// worker pool.
func TestLargeProductsDoNotDeadlock(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	exec, err := NewExec(b, func(x *Node) *Node {
		var sum *Node
		for i := range 8 {
			y := Dot(AddScalar(x, float32(i)), x).MatMul()
			if sum == nil {
				sum = y
			} else {
				sum = Add(sum, y)
			}
		}
		return ReduceAllSum(sum)
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var failed error
		for range 4 {
			wg.Go(func() {
				x := tensors.FromScalarAndDimensions(float32(0.5), 384, 384)
				for range 3 {
					if _, err := exec.Call(x); err != nil {
						mu.Lock()
						failed = err
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		done <- failed
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("large matrix products have not ended after two minutes: the worker pool deadlocks")
	}
}

func Example() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	fmt.Println(backend.IsXLA(b), backend.Describe(b))
	// Output: false Go Portable Compute Backend (parallelism=-1)
}
