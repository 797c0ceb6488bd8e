package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

const sources = "the sources of this test"

// serve starts a server and returns its socket, and what ends it.
func serve(t *testing.T, o Options) (socket string, ended chan error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "w") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	o.Socket, o.Sources = filepath.Join(dir, "s"), sources
	ended = make(chan error, 1)
	go func() { ended <- Serve(ctx, o) }()
	t.Cleanup(func() { stop(); os.RemoveAll(dir) })
	for range 200 {
		if conn, err := net.Dial("unix", o.Socket); err == nil {
			conn.Close()
			return o.Socket, ended
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the server does not listen")
	return "", nil
}

// ask sends a request and collects the answer.
func ask(t *testing.T, socket string, r client.Request) (parts []*report.Part, data json.RawMessage, last client.Event) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r.Sources == "" {
		r.Sources = sources
	}
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s: the answer has no end: %v", r.Kind, err)
		}
		var e client.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, e.Parts...)
		if e.Data != nil {
			data = e.Data
		}
		if e.End || e.Error != nil || e.Replaced {
			return parts, data, e
		}
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func request(t *testing.T, kind, view string, args any) client.Request {
	t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return client.Request{Kind: kind, View: view, Args: raw, Dirs: []string{root(t)}, RunDir: t.TempDir(), Store: "fresh",
		Options: client.Options{Model: "testdata/attune-tiny", Items: "generated:medium", Limit: 12, Seed: 1}}
}

func arms(t *testing.T) []client.Arm {
	t.Helper()
	return []client.Arm{{Name: "baseline"}, {Name: "released", Plan: emulate.Plan{emulate.Released()}.JSON()}}
}

// TestEveryViewAnswers asks every view of a survey and of a comparison, on the embedded model: each is a part that can be sent and shown.
func TestEveryViewAnswers(t *testing.T) {
	socket, _ := serve(t, Options{})
	names := map[string]bool{}
	show := func(kind, view string, args map[string]any, arms []client.Arm, want string) {
		t.Helper()
		r := request(t, kind, view, args)
		r.Arms = arms
		parts, data, last := ask(t, socket, r)
		if last.Error != nil {
			t.Errorf("%s %s: %v", kind, view, last.Error)
			return
		}
		text := string(data)
		for _, p := range parts {
			b, err := json.Marshal(p)
			if err != nil {
				t.Errorf("%s %s: %v", kind, view, err)
			}
			text += string(b)
			for _, n := range p.Numbers {
				names[n.Name] = true
			}
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s %s does not say %q", kind, view, want)
		}
	}
	show("about", "", nil, nil, "a llama with 2.44 million parameters")
	show("about", "writes", nil, nil, "What the model writes by itself, greedily")
	show("tokens", "", map[string]any{"text": "What is 2?"}, nil, "punctuation")
	for view, c := range map[string]struct {
		args map[string]any
		want string
	}{
		"rates": {map[string]any{"eps": []float64{0.1, 0.3}}, "sink_rate/key 0, eps 0.3"}, "map": {nil, "first-mass-by-head"}, "positions": {map[string]any{"n": 4}, "Sink rate of the first positions"},
		"hidden": {nil, "hidden_sinks"}, "tokenmap": {nil, "tokens-0"}, "classes": {nil, "attention_share/punctuation"}, "outliers": {nil, "outlier_share/punctuation"},
		"layermaps": {map[string]any{"layers": "first,last"}, "map-7"}, "similarity": {nil, "cosine"}, "overdepth": {map[string]any{"what": []string{"first", "entropy"}}, "Row entropy"},
		"layers": {nil, "mask_overlap"}, "massive": {nil, "massive_activations"}, "norms": {nil, "value norm ratio"}, "density": {map[string]any{"tau": 0.01}, "mask_density/layer 0, tau 0.01"},
		"ratesoverlength": {map[string]any{"lengths": []int{16, 32}, "eps": []float64{0.3}}, "rates-over-T"}, "armchanges": {nil, "first_mass_change/released"},
		"rate": {map[string]any{"key": 0, "eps": []float64{0.05}}, "0."}, "arrays": {nil, "received.0"},
	} {
		args := map[string]any{"all": true}
		for name, value := range c.args {
			args[name] = value
		}
		show("survey", view, args, arms(t), c.want)
	}
	for view, want := range map[string]string{"table": "/acc/all/released/difference", "bars": "Wilson", "differences": "Tango", "interaction": "outside STEM minus STEM", "subjects": "guessing", "rows": `"Arm":"released"`,
		"samples": "Items whose answer an arm changes", "within": "interventions"} {
		show("compare", view, map[string]any{"n": 1}, arms(t), want)
	}
	for view, want := range map[string]string{"head": "attention-1-2", "mean": "attention-1-mean", "mask": "in it; a row has at most", "all": `"tokens":`, "top": "top-heads", "values": "["} {
		head := 2
		if view == "mean" {
			head = -1
		}
		show("attention", view, map[string]any{"text": "Question: what is 2 + 2?", "layer": 1, "head": head, "tau": 0.01, "n": 3}, nil, want)
	}
	for name, want := range map[string]string{"attention": `"axes":["head","query","key"]`, "mlp": `"axes":["token","channel"]`, "residual": `"float32":`} {
		show("activation", "", map[string]any{"text": "Question: what is 2 + 2?", "name": name, "layer": 1}, nil, want)
	}
	show("perplexity", "", map[string]any{"window": 64}, arms(t), "loss/released/difference")
	show("effect", "rows", nil, arms(t)[1:], "entropy of a row")
	show("effect", "logits", nil, arms(t)[1:], "KL(plain || changed) per position")
	show("generate", "", map[string]any{"tokens": 8}, arms(t), "greedy tokens before the texts part")
	show("gains", "", nil, arms(t)[1:], "The gain over depth")
	for _, name := range []string{"sink_rate/key 0, eps 0.3, T 64", "generated-medium@4379b696/acc/all/baseline", "intervention/released"} {
		if !names[name] {
			t.Errorf("no view has the number %q", name)
		}
	}
}

func TestASurveyIsComputedOnceInASession(t *testing.T) {
	socket, _ := serve(t, Options{})
	r := request(t, "survey", "rates", map[string]any{"eps": []float64{0.3}})
	r.Arms = arms(t)
	ask(t, socket, r)
	start := time.Now()
	r.View = "map"
	_, _, last := ask(t, socket, r)
	if last.Error != nil || time.Since(start) > 2*time.Second {
		t.Errorf("a second view takes %v (%v): the survey was computed again", time.Since(start), last.Error)
	}
}

func TestBadRequestsAreErrors(t *testing.T) {
	socket, _ := serve(t, Options{})
	bad := func(want string, change func(*client.Request)) {
		t.Helper()
		r := request(t, "compare", "table", nil)
		r.Arms = arms(t)
		change(&r)
		if _, _, last := ask(t, socket, r); last.Error == nil || !strings.Contains(last.Error.Error(), want) {
			t.Errorf("the answer is %+v, expected an error with %q", last.Error, want)
		}
	}
	bad(`parameter model="nowhere"`, func(r *client.Request) { r.Options.Model = "nowhere" })
	bad(`parameter items="README.md"`, func(r *client.Request) { r.Options.Items = "README.md" })
	bad(`parameter items=""`, func(r *client.Request) { r.Options.Items = "" })
	bad("no request", func(r *client.Request) { r.Kind = "nothing" })
	bad("no view", func(r *client.Request) { r.View = "nothing" })
	bad("layer", func(r *client.Request) { r.Arms[1].Plan = json.RawMessage(`{"alpha":1,"tau":0.01,"layers":[99]}`) })
	bad("positions", func(r *client.Request) { r.Kind, r.View, r.Options.Length = "survey", "map", 1<<20 })
}

func TestOtherSourcesReplaceTheWorker(t *testing.T) {
	socket, ended := serve(t, Options{})
	r := request(t, "about", "", nil)
	r.Sources = "edited"
	if _, _, last := ask(t, socket, r); !last.Replaced {
		t.Fatalf("a request of other sources is answered: %+v", last)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the worker goes on after its sources were edited")
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Error("its socket is in the way of the next worker")
	}
}

// TestAWorkerHasOneProfile: its flags are set before anything opens the device, and it ends for a request of another profile once it has answered what it is asked.
func TestAWorkerHasOneProfile(t *testing.T) {
	t.Setenv(env.Backend, "xla:cuda")
	for profile, flags := range map[env.Profile][]string{env.Score: nil, env.Bench: env.BenchFlags, env.Train: env.TrainingFlags} {
		t.Setenv(env.XLAFlags, "--own=1")
		socket, ended := serve(t, Options{Profile: profile})
		if got, want := os.Getenv(env.XLAFlags), strings.Join(append([]string{"--own=1"}, flags...), " "); got != want {
			t.Errorf("%s: XLA_FLAGS is %q, expected %q", profile, got, want)
		}
		for _, asked := range []env.Profile{"", profile} {
			if _, _, last := ask(t, socket, client.Request{Kind: "ping", Profile: asked}); !last.End {
				t.Errorf("%s: a request of profile %q is answered %+v", profile, asked, last)
			}
		}
		_, _, last := ask(t, socket, client.Request{Kind: "ping", Profile: profile + "other"})
		if self, err := client.FindProcess(os.Getpid()); err != nil || !last.Replaced || last.Process != self.String() {
			t.Errorf("%s: a request of another profile is answered %+v, %v", profile, last, err)
		}
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the worker goes on", profile)
		}
	}
}

func TestTheWorkerEndsWhenItIsIdle(t *testing.T) {
	_, ended := serve(t, Options{Idle: 500 * time.Millisecond})
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the worker waits for ever")
	}
}

// TestTheWorkersLife builds the program and looks at what only a process of its own shows: it ends with its owner, and on demand it answers once.
func TestTheWorkersLife(t *testing.T) {
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "work")
	if out, err := exec.Command("go", "build", "-o", binary, filepath.Join(root(t), "recipes", "work")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	owner := exec.Command("sleep", "600")
	if err := owner.Start(); err != nil {
		t.Skip(err)
	}
	p, err := client.FindProcess(owner.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	worker := exec.Command(binary, "--socket", socket, "--owner", p.String(), "--sources", sources)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- worker.Wait() }()
	for i := 0; ; i++ {
		if _, err := os.Stat(socket); err == nil {
			break
		} else if i == 500 {
			t.Fatal("the worker does not listen")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v (%v), expected 0600: other users could ask", info.Mode(), err)
	}
	if _, _, last := ask(t, socket, request(t, "about", "", nil)); last.Error != nil {
		t.Error(last.Error)
	}
	owner.Process.Kill()
	owner.Wait()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		worker.Process.Kill()
		t.Error("the worker outlives its owner by 5 s")
	}
}

func Example_views() {
	fmt.Println(surveyLength(0, false, []int{70, 66, 64, 64, 40}, 512))
	fmt.Println(surveyLength(0, false, []int{30, 20, 12}, 512))
	// Output:
	// 64  <nil>
	// 12  T is 12 and not the usual 64, because fewer than 80 % of the texts have 64 tokens; sink rates fall with T. <nil>
}

// TestWhoWaitsIsSentToTheNextWorker: a worker that must end, such as out of a compilation that nobody waits for any more, does not leave others without an answer.
func TestWhoWaitsIsSentToTheNextWorker(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	s := &server{}
	s.waiting.Store(&events{conn: there, encoder: json.NewEncoder(there)}, nil)
	go s.sendAway()
	var e client.Event
	if err := json.NewDecoder(here).Decode(&e); err != nil {
		t.Fatal(err)
	}
	if self, err := client.FindProcess(os.Getpid()); err != nil || !e.Replaced || e.Process != self.String() {
		t.Errorf("it is told %+v, %v", e, err)
	}
}
