// Command work is the worker: the process that keeps models, executables and surveys between the cells of a notebook. Cells start it (package worker/client); it ends with its kernel.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/worker"
	"github.com/attune-lab/attune/pkg/worker/client"
)

func main() {
	var (
		socket  = flag.String("socket", "", "path of the Unix socket to listen on")
		owner   = flag.String("owner", "", "PID/STARTED of the process whose end is the worker's; empty = none")
		sources = flag.String("sources", "", "hash of the sources that this program was built from")
		profile = flag.String("profile", string(env.Score), "what XLA compiles for: score, bench or train")
		once    = flag.Bool("once", false, "answer one request and end")
		of      = flag.String("submission", "", "compute one part of the submission in this run's directory, and end")
		part    = flag.Int("part", 0, "its number, from 1")
		count   = flag.Bool("count", false, "with --submission: read the items of its requests, print how much there is to compute as JSON, and end")
		timed   = flag.Bool("timed", false, "with --count: and how long it takes, by what was timed here")
		peak    = flag.String("peak", "", "open and run the checkpoint in this directory, print the bytes of memory that it took at most, and end")
	)
	flag.Parse()
	if *of != "" {
		if err := submission(*of, *part, *count, *timed); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(*socket, *owner, *sources, *profile, *once, *peak); err != nil {
		log.Fatal(err)
	}
}

// submission computes a part, or counts what there is to compute.
func submission(dir string, part int, count, timed bool) error {
	s, err := cluster.Open(dir)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !count {
		return worker.RunPart(ctx, s, part)
	}
	work, err := worker.Count(ctx, s, timed)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(work)
}

func run(socket, owner, sources, profile string, once bool, peak string) error {
	if peak != "" {
		bytes, err := worker.Peak(peak)
		if err == nil {
			fmt.Println(bytes)
		}
		return err
	}
	if socket == "" {
		return fmt.Errorf("work: no --socket: this program is started by the cells of a notebook")
	}
	if !slices.Contains(env.Profiles(), env.Profile(profile)) {
		return fmt.Errorf("work: --profile %q: expected one of %v", profile, env.Profiles())
	}
	o := worker.Options{Socket: socket, Sources: sources, Profile: env.Profile(profile), Once: once}
	if owner != "" {
		var err error
		if o.Owner, err = client.ParseProcess(owner); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return worker.Serve(ctx, o)
}
