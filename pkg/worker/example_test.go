package worker_test

import (
	"context"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/worker"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// What the worker's program does: it answers until it is interrupted, its kernel ends, or nobody asks for a long time.
func ExampleServe() {
	sources, err := client.Sources(".")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := worker.Serve(ctx, worker.Options{Socket: filepath.Join(os.TempDir(), "attune.sock"), Sources: sources}); err != nil {
		log.Fatal(err)
	}
}
