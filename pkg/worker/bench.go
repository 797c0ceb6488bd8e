package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// benchArgs are the recipe's parameters.
type benchArgs struct {
	Dimensions string `json:"dimensions"`
	Tokens     int    `json:"tokens"`
	Prompt     int    `json:"prompt"`
	NewTokens  int    `json:"newTokens"`
	Batch      int    `json:"batch"`
	Repeats    int    `json:"repeats"`
	Peer       bool   `json:"peer"`
	Checkpoint string `json:"checkpoint"`
	Memory     string `json:"memory"`
}

// measured are the figures of one benchmark, by name: what the recipe's last line prints.
type measured map[string]float64

// speed measures on random weights: "speed" tokens per second, "memory" the peak of opening and running a checkpoint, "peer" the same work in PyTorch.
func speed(ctx context.Context, j *job) error {
	a, err := args[benchArgs](j)
	if err != nil {
		return err
	}
	config, err := bench.Config(a.Dimensions)
	if err != nil {
		return client.Parameter("dimensions", a.Dimensions, "%v", err)
	}
	if j.session.measured == nil {
		j.session.measured = map[string]measured{}
	}
	key := fmt.Sprint(string(j.Args), j.Options.DType, j.Options.Devices)
	if j.session.measured[key] == nil {
		j.session.measured[key] = measured{}
	}
	found := j.session.measured[key]
	switch j.View {
	case "speed":
		return j.benchSpeed(a, config, found)
	case "memory":
		return j.benchMemory(ctx, a, found)
	case "peer":
		return j.benchPeer(ctx, a, config, found)
	case "json":
		line := map[string]any{"dimensions": a.Dimensions, "dtype": j.Options.DType, "measured": found}
		if peer := j.session.measured[key+" peer"]; peer != nil {
			line["peer"] = peer
		}
		return j.reply(line)
	}
	return fmt.Errorf("a benchmark has no view %q", j.View)
}

func (j *job) benchSpeed(a benchArgs, c *model.Config, found measured) error {
	b, err := j.backend()
	if err != nil {
		return err
	}
	dtype, err := c.ChooseDType(j.Options.DType, b)
	if err != nil {
		return client.Parameter("dtype", j.Options.DType, "%v", err)
	}
	j.closeModel()
	m, err := model.NewOnDevice(c, 1, model.Options{Backend: b, DType: dtype, Devices: j.Options.Devices})
	if err != nil {
		return err
	}
	defer m.Close()
	released, err := apply.New(emulate.Released())
	if err != nil {
		return err
	}
	p := &report.Part{Method: fmt.Sprintf("%d parameters (%s) in %s on %s, random weights; medians of %d calls after one to warm up. A decode step reads %.2f GB of weights and, on XLA, all slots of the cache.",
		c.NumParameters(), a.Dimensions, dtypeName(m.DType), m.Device(), a.Repeats, float64(c.WeightBytes(m.DType))/1e9),
		Facts: map[string]any{"device": m.Device(), "dtype": dtypeName(m.DType)}}
	t := report.Table{Name: "speed", Title: "Tokens per second, medians", Columns: []string{"work", "tokens/s", "cache slots", "seconds of each repeat"}}
	record := func(name string, r bench.Rate, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found[name+"_tokens_per_second"] = r.TokensPerSecond
		slots := "" // a prefill has none
		if r.Slots > 0 {
			found[name+"_allocations_per_token"], found[name+"_cache_slots"], slots = r.Allocations, float64(r.Slots), strconv.Itoa(r.Slots)
		}
		t.Rows = append(t.Rows, []any{name, r.TokensPerSecond, slots, fmt.Sprintf("%.4f", r.Seconds)})
		p.Numbers = append(p.Numbers, report.Number{Name: "speed/" + name, Value: r.TokensPerSecond, Unit: "tokens/s", N: a.Repeats, Tolerance: r.TokensPerSecond / 2})
		return nil
	}
	decode := func(m *model.Model, batch, prompt int, exp model.Experiment) (bench.Rate, error) {
		return bench.Decode(m, batch, prompt, a.NewTokens, 3*a.NewTokens, a.Repeats, exp)
	}
	work := []struct {
		name string
		do   func() (bench.Rate, error)
	}{
		{"prefill", func() (bench.Rate, error) { return bench.Prefill(m, a.Tokens, a.Repeats, nil) }},
		{"prefill_released", func() (bench.Rate, error) { return bench.Prefill(m, a.Tokens, a.Repeats, released) }},
		{"decode_batch_1", func() (bench.Rate, error) { return decode(m, 1, a.Prompt, nil) }},
		{"decode_batch_1_released", func() (bench.Rate, error) { return decode(m, 1, a.Prompt, released) }},
		{fmt.Sprintf("decode_batch_%d", a.Batch), func() (bench.Rate, error) { return decode(m, a.Batch, a.Prompt, nil) }},
	}
	for i, w := range work {
		j.progress("measuring "+w.name, i, len(work))
		r, err := w.do()
		if err := record(w.name, r, err); err != nil {
			return err
		}
	}
	for _, name := range []string{"prefill", "decode_batch_1"} {
		share := found[name+"_released_tokens_per_second"] / found[name+"_tokens_per_second"]
		found[name+"_released_over_plain"] = share
		p.Numbers = append(p.Numbers, report.Number{Name: "emulation/" + name + ", released over plain", Value: share, Unit: "times plain", N: a.Repeats, Tolerance: 0.2})
	}
	if a.Checkpoint != "" {
		dir, err := j.path("checkpoint", a.Checkpoint)
		if err != nil {
			return err
		}
		other, err := model.Load(dir, model.Options{Backend: b, DType: m.DType})
		if err != nil {
			return client.Parameter("checkpoint", a.Checkpoint, "%v", err)
		}
		defer other.Close()
		r, err := decode(other, 1, 1, nil)
		if err := record("decode_checkpoint", r, err); err != nil {
			return err
		}
	}
	p.Tables = []report.Table{t}
	return j.show(p)
}

// closeModel frees the session's model: what is measured next has the device alone.
func (j *job) closeModel() {
	s := j.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model != nil {
		s.model.Close()
		s.model = nil
	}
}

// benchMemory measures the host memory of a process of its own that opens and runs a checkpoint. Weights on an accelerator are not host memory: then nothing is measured.
func (j *job) benchMemory(ctx context.Context, a benchArgs, found measured) error {
	b, err := j.backend()
	if err != nil {
		return err
	}
	p := &report.Part{Method: "What opening a checkpoint, a forward pass and a short generation take on the host at most, over the bytes of the weights, on the Go backend."}
	if a.Memory == "" || backend.IsXLA(b) {
		p.Method += " Not measured: " + map[bool]string{true: "the weights are on another device.", false: "not asked for."}[backend.IsXLA(b)]
		return j.show(p)
	}
	config, err := bench.Config(a.Memory)
	if err != nil {
		return client.Parameter("memory", a.Memory, "%v", err)
	}
	dir := filepath.Join(j.RunDir, "work", "memory")
	defer os.RemoveAll(dir)
	j.progress("memory: making a checkpoint", 0, 0)
	m, err := model.NewOnDevice(config, 1, model.Options{Backend: b})
	if err != nil {
		return err
	}
	err = m.Save(dir, dtypes.Float32)
	m.Close()
	if err != nil {
		return err
	}
	j.progress("memory: opening and running it", 0, 0)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "--peak", dir)
	cmd.Env = append(os.Environ(), env.Backend+"=go")
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("peak memory: %w", err)
	}
	peak, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return fmt.Errorf("peak memory: %w", err)
	}
	share := float64(peak) / float64(config.WeightBytes(dtypes.Float32))
	found["peak_memory_over_weights"] = share
	p.Numbers = []report.Number{{Name: "memory/peak over weights", Value: share, Unit: "times the weights", N: 1, Tolerance: 0.2}}
	p.Finding = fmt.Sprintf("Opening and running %s takes %d MiB at most, %.2f times its weights.", a.Memory, peak>>20, share)
	return j.show(p)
}

// Peak opens and runs a checkpoint in this process and says how many bytes of memory that took at most: the child of benchMemory.
func Peak(dir string) (int64, error) {
	return bench.PeakMemory(func() error {
		m, err := model.Load(dir, model.Options{})
		if err != nil {
			return err
		}
		if _, err := bench.Prefill(m, 128, 1, nil); err != nil {
			return err
		}
		_, err = bench.Decode(m, 1, 64, 16, 48, 1, nil)
		return err
	})
}

func (j *job) benchPeer(ctx context.Context, a benchArgs, c *model.Config, found measured) error {
	if !a.Peer {
		return j.show(&report.Part{Method: "The peer was not asked for."})
	}
	root, err := env.Root()
	if err != nil {
		return err
	}
	tied := 0
	if c.TieEmbeddings {
		tied = 1
	}
	var arguments []string
	for _, x := range []struct {
		name  string
		value int
	}{{"vocab", c.VocabSize}, {"hidden", c.HiddenSize}, {"intermediate", c.IntermediateSize}, {"layers", c.Layers}, {"heads", c.Heads}, {"kv_heads", c.KVHeads}, {"head_dim", c.HeadDim},
		{"positions", c.MaxPositions}, {"tokens", a.Tokens}, {"prompt", a.Prompt}, {"new", 2 * a.NewTokens}, {"batch", a.Batch}, {"repeats", a.Repeats}, {"tied", tied}, {"emulation", 1}} {
		arguments = append(arguments, "--"+x.name, fmt.Sprint(x.value))
	}
	j.progress("the same work in PyTorch", 0, 0)
	theirs, err := bench.Peer(ctx, filepath.Join(root, "recipes", "bench_peer.py"), arguments...)
	if errors.Is(err, bench.ErrNoPeer) {
		return j.show(&report.Part{Method: "No ratio: " + err.Error() + "."})
	}
	if err != nil {
		return err
	}
	p := &report.Part{Method: "The same work in PyTorch (sdpa; eager where emulation is computed as its authors do), on this machine in this run."}
	t := report.Table{Name: "ratios", Title: "This against the peer in the same run", Columns: []string{"work", "tokens/s", "peer's tokens/s", "ratio"}}
	for _, name := range []string{"prefill_tokens_per_second", "decode_batch_1_tokens_per_second", fmt.Sprintf("decode_batch_%d_tokens_per_second", a.Batch), "prefill_released_tokens_per_second", "decode_batch_1_released_tokens_per_second"} {
		ratio := found[name] / theirs[name]
		t.Rows = append(t.Rows, []any{name, found[name], theirs[name], ratio})
		p.Numbers = append(p.Numbers, report.Number{Name: "ratio/" + name, Value: ratio, Unit: "times the peer's", N: a.Repeats, Tolerance: ratio / 4})
	}
	share := found["decode_batch_1_tokens_per_second"] * float64(c.WeightBytes(dtypes.BFloat16)) / theirs["copy_bytes_per_second"]
	found["bandwidth_share"] = share
	p.Numbers = append(p.Numbers, report.Number{Name: "decode_batch_1/share of the measured memory bandwidth", Value: share, Unit: "share", N: a.Repeats, Tolerance: 0.1})
	p.Tables = []report.Table{t}
	p.Finding = fmt.Sprintf("Decoding one sequence uses %.0f %% of the measured memory bandwidth (%.2f TB/s).", 100*share, theirs["copy_bytes_per_second"]/1e12)
	j.session.measured[fmt.Sprint(string(j.Args), j.Options.DType, j.Options.Devices)+" peer"] = theirs
	var line json.RawMessage
	if line, err = json.Marshal(theirs); err != nil {
		return err
	}
	p.Facts = map[string]any{"peer": string(line)}
	return j.show(p)
}
