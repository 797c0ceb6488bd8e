package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/calibrate"
	"github.com/attune-lab/attune/pkg/corpus/source"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/hub"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// handlers answer requests by their kind; each stands in the file of its subject.
var handlers map[string]func(context.Context, *job) error

func init() {
	handlers = map[string]func(context.Context, *job) error{
		"ping": func(context.Context, *job) error { return nil }, "about": about, "tokens": tokens, "survey": survey, "attention": attention, "activation": activation,
		"effect": effect, "gains": gains, "compare": compare, "perplexity": perplexity, "generate": generateText, "parity": parityTable, "bench": speed, "tune": tune, "calibrate": calibrateHeads, "pretrain": pretrain,
	}
}

// session is what lives between requests: one model, and what was made with it.
type session struct {
	mu           sync.Mutex
	key          string // of the open model
	model        *model.Model
	name         string // of its directory
	tasks        map[string]*eval.Task
	surveys      map[string]*sink.Survey // a few, see remember
	compared     map[string]*eval.Comparison
	logs         map[string]*eval.Logs // of runs, by what they depend on
	effects      map[string]effects
	measured     map[string]measured // benchmarks
	calibrations map[string]*calibrate.Calibration
	runner       *engine.Runner // of the open model
	budget       int            // of the runner
	fresh        *store.Store   // of a check
	part         *partRun       // nil but in a part of a submission
	known        bool           // what parts compute is in the store, or an error: see env.Known
	devices      []string       // that parts were computed on, where they are known: see env.Devices
}

func newSession() *session {
	var devices []string
	if text := os.Getenv(env.Devices); text != "" {
		devices = strings.Split(text, "; ")
	}
	return &session{tasks: map[string]*eval.Task{}, surveys: map[string]*sink.Survey{}, compared: map[string]*eval.Comparison{}, logs: map[string]*eval.Logs{}, effects: map[string]effects{},
		known: os.Getenv(env.Known) != "", devices: devices}
}

// job is a request that is being answered.
type job struct {
	*client.Request
	session *session
	out     *events
}

// show sends parts.
func (j *job) show(parts ...*report.Part) error {
	// Encoding draws the charts, which may fail.
	if _, err := json.Marshal(parts); err != nil {
		return err
	}
	j.out.send(client.Event{Parts: parts})
	return nil
}

// reply sends plain data.
func (j *job) reply(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.out.send(client.Event{Data: data})
	return nil
}

// progress tells how far a stage is.
func (j *job) progress(stage string, done, total int) {
	j.out.send(client.Event{Progress: &client.Progress{Stage: stage, Done: done, Total: total}})
}

// args reads the arguments of the request's kind.
func args[T any](j *job) (T, error) {
	var v T
	if len(j.Args) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(j.Args, &v); err != nil {
		return v, fmt.Errorf("arguments of %s %s: %w", j.Kind, j.View, err)
	}
	return v, nil
}

// path resolves what a parameter names.
func (j *job) path(parameter, value string) (string, error) {
	if client.IsReference(value) {
		return value, nil
	}
	path, err := client.FindPath(value, j.Dirs)
	if err != nil {
		return "", client.Parameter(parameter, value, "%v", err)
	}
	return path, nil
}

// open gives the request's model, loading it unless it is the one that is open. Another one takes its place: the weights of the first are freed before.
func (j *job) open() (*model.Model, error) { return j.reads(j.openSilent()) }

// openSilent is open for what needs no text: a model may be without a tokenizer.
func (j *job) openSilent() (*model.Model, error) {
	if j.Options.Model == "" {
		return nil, client.Parameter("model", "", "expected the directory of a model, a .gguf file, or hf:owner/name")
	}
	dir, err := j.path("model", j.Options.Model)
	if err != nil {
		return nil, err
	}
	return j.load(dir, j.Options.Adapter)
}

func (j *job) openAt(dir, adapter string) (*model.Model, error) { return j.reads(j.load(dir, adapter)) }

// reads refuses a model without a tokenizer.
func (j *job) reads(m *model.Model, err error) (*model.Model, error) {
	if err == nil && m.Tokenizer == nil {
		return nil, client.Parameter("model", j.Options.Model, "the directory has no tokenizer.json, without which no text can be read")
	}
	return m, err
}

func (j *job) load(dir, adapter string) (*model.Model, error) {
	s := j.session
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprintf("%q %q %s %d %s", dir, adapter, j.Options.DType, j.Options.Devices, j.Options.Place)
	if s.model != nil && s.key == key {
		return s.model, nil
	}
	if s.model != nil {
		j.progress("closing "+s.name, 0, 0)
		s.model.Close()
		s.model, s.runner, s.surveys, s.compared = nil, nil, map[string]*sink.Survey{}, map[string]*eval.Comparison{}
	}
	j.progress("opening "+filepath.Base(dir), 0, 0)
	b, err := j.backend()
	if err != nil {
		return nil, err
	}
	if _, err := (&model.Config{}).ChooseDType(j.Options.DType, b); err != nil { // for any model: the directory is not at fault
		return nil, client.Parameter("dtype", j.Options.DType, "%v", err)
	}
	if adapter != "" {
		if adapter, err = j.path("adapter", adapter); err != nil {
			return nil, err
		}
	}
	m, err := model.Load(dir, model.Options{Backend: b, DTypeName: cmp.Or(j.Options.DType, "auto"), Devices: j.Options.Devices, Place: j.Options.Place, Adapter: adapter, Download: func(p hub.Progress) { j.progress("fetching "+p.File, int(p.Done), int(p.Total)) }})
	if err != nil {
		return nil, client.Parameter("model", j.Options.Model, "%v", err)
	}
	s.key, s.model, s.name = key, m, filepath.Base(dir)
	return m, nil
}

// backends are opened once: XLA's client holds its devices for as long as it lives.
var backends struct {
	sync.Mutex
	open []compute.Backend
}

// backend is the one that the environment names, with the devices that the model is cut over. One for CUDA has all cards; each number of devices of xla:cpu is another one.
func (j *job) backend() (compute.Backend, error) {
	backends.Lock()
	defer backends.Unlock()
	n := max(j.Options.Devices, 1)
	for _, b := range backends.open {
		if b.NumDevices() == n || backend.IsCUDA(b) && b.NumDevices() > n {
			return b, nil
		}
	}
	if n > 1 && j.Options.Place == model.PlaceLayers {
		backend.For(env.Layers)
	}
	b, err := backend.FromEnvDevices(n)
	if err != nil && n > 1 {
		return nil, client.Parameter("devices", fmt.Sprint(n), "%v", err)
	}
	if err != nil {
		return nil, err
	}
	backends.open = append(backends.open, b)
	return b, nil
}

// oneDevice refuses several devices where something is done on one.
func (j *job) oneDevice(what string) error {
	if j.Options.Devices > 1 {
		return client.Parameter("devices", fmt.Sprint(j.Options.Devices), "%s is done on one device", what)
	}
	return nil
}

// name is how captions call the model.
func (j *job) name() string {
	if strings.HasPrefix(j.Options.Model, hub.Scheme) {
		return j.Options.Model
	}
	return filepath.Base(filepath.Clean(j.Options.Model))
}

// groupsSTEM18 groups MMLU by the original map of subjects; the default is the widely used one of 19.
const groupsSTEM18 = "stem-18"

// groups are how results are broken down.
func (j *job) groups() eval.Groups {
	if j.Options.Groups == groupsSTEM18 {
		return eval.GroupsStem
	}
	return eval.Groups(j.Options.Groups)
}

// task gives the request's items.
func (j *job) task() (*eval.Task, error) {
	o := j.Options
	key := fmt.Sprintf("%q %q %d %d %t %t %t %s %d", o.Items, o.Columns, o.Limit, o.Shots, o.Chat, o.NoBOS, o.Letters, o.Groups, o.Seed)
	if o.Chat {
		key += fmt.Sprintf(" %q", o.Model) // whose template it is
	}
	if t := j.session.tasks[key]; t != nil {
		return t, nil
	}
	if o.Items == "" {
		return nil, client.Parameter("items", "", "this asks items, and none are named")
	}
	j.progress("reading items", 0, 0)
	t, err := j.readTask()
	if err != nil {
		return nil, err
	}
	j.session.tasks[key] = t
	return t, nil
}

// readTask reads the request's items as they are to be asked.
func (j *job) readTask() (*eval.Task, error) {
	o := j.Options
	path, err := j.path("items", o.Items)
	if err != nil {
		return nil, err
	}
	how := eval.TaskOptions{Seed: o.Seed, Shots: o.Shots, Columns: o.Columns, NoBOS: o.NoBOS, Letters: o.Letters}
	if o.Groups == groupsSTEM18 {
		how.STEM = source.MMLUSTEM18
	}
	if o.Chat {
		if how.Chat, err = j.chatTemplate(context.Background()); err != nil {
			return nil, client.Parameter("chat", "true", "%v", err)
		}
	}
	t, err := eval.LoadTask(path, o.Limit, how)
	if err != nil {
		return nil, client.Parameter("items", o.Items, "%v", err)
	}
	return t, nil
}

// texts are what is surveyed: those of the request, or the items written out.
func (j *job) texts() ([]string, error) {
	if len(j.Options.Texts) > 0 {
		return j.Options.Texts, nil
	}
	if strings.HasSuffix(j.Options.Items, ".txt") {
		return j.paragraphs()
	}
	t, err := j.task()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(t.Examples))
	for i, e := range t.Examples {
		out[i] = e.Text
	}
	return out, nil
}

// paragraphs are those of a text file, joined until each text has T tokens.
func (j *job) paragraphs() ([]string, error) {
	path, err := j.path("items", j.Options.Items)
	if err != nil {
		return nil, err
	}
	m, err := j.open()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, client.Parameter("items", j.Options.Items, "%v", err)
	}
	var out []string
	text := ""
	for paragraph := range strings.SplitSeq(string(data), "\n\n") {
		text = strings.TrimPrefix(text+"\n\n"+paragraph, "\n\n")
		if len(m.Tokenizer.Encode(text)) >= cmp.Or(j.Options.Length, defaultLength) {
			out, text = append(out, text), ""
		}
		if j.Options.Limit > 0 && len(out) == j.Options.Limit {
			break
		}
	}
	if len(out) == 0 {
		return nil, client.Parameter("items", j.Options.Items, "the file has fewer than %d tokens", cmp.Or(j.Options.Length, defaultLength))
	}
	return out, nil
}

// plan reads an arm's intervention and resolves the token classes that it names.
func (j *job) plan(a client.Arm, m *model.Model) (emulate.Plan, error) {
	if len(a.Plan) == 0 {
		return nil, nil
	}
	p, err := emulate.ParsePlan(a.Plan)
	if err != nil {
		return nil, fmt.Errorf("arm %q: %w", a.Name, err)
	}
	if p, err = apply.Resolve(p, m.Tokenizer); err != nil {
		return nil, fmt.Errorf("arm %q: %w", a.Name, err)
	}
	for _, s := range p {
		if err := s.Check(emulate.Model{Layers: m.Config.Layers, Heads: m.Config.Heads, Vocab: m.Config.VocabSize}); err != nil {
			return nil, fmt.Errorf("arm %q: %w", a.Name, err)
		}
	}
	return p, nil
}

// experiment is an arm's intervention as the model takes it; nil for the untouched model.
func (j *job) experiment(a client.Arm, m *model.Model) (model.Experiment, error) {
	plan, err := j.plan(a, m)
	if err != nil {
		return nil, err
	}
	return apply.Plan(plan)
}

// encoded are the request's texts, and what the model reads of them: at most as many tokens as it has positions.
func (j *job) encoded(m *model.Model) (texts []string, ids [][]int, err error) {
	if texts, err = j.texts(); err != nil {
		return nil, nil, err
	}
	encode := j.encode(m)
	for _, text := range texts {
		list := encode(text)
		ids = append(ids, list[:min(len(list), m.Config.MaxPositions)])
	}
	return texts, ids, nil
}

// untouched is the arm of a request without arms.
func (j *job) arms() []client.Arm {
	if len(j.Arms) == 0 {
		return []client.Arm{{Name: "untouched"}}
	}
	return j.Arms
}

// ticker tells progress at most ten times a second.
func (j *job) ticker(stage string, total int) func(more int) {
	done, last := 0, time.Time{}
	var mu sync.Mutex
	j.progress(stage, 0, total)
	return func(more int) {
		mu.Lock()
		defer mu.Unlock()
		done += more
		if done == total || time.Since(last) > 100*time.Millisecond {
			j.progress(stage, done, total)
			last = time.Now()
		}
	}
}

// dtypeName is "float32" or "bfloat16".
func dtypeName(d dtypes.DType) string { return strings.ToLower(d.String()) }
