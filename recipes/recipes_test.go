package main

import (
	"bytes"
	"context"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/report"
)

// root of the repository, seen from this package.
const root = ".."

// headless runs a recipe headless, as `go run ./recipes run` does, and returns its results.
func headless(t *testing.T, name string, parameters ...string) *note.Results {
	t.Helper()
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	overrides := notebook.Overrides{}
	for _, p := range parameters {
		if err := overrides.Set(p); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	dir := filepath.Join(t.TempDir(), "run")
	_, err = recipe.Run(context.Background(), recipe.Options{Root: abs, Path: filepath.Join(abs, "recipes", name+".ipynb"), Overrides: overrides, Dir: dir, Backend: "go",
		Timeout: 20 * time.Minute, Log: &log})
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, log.String())
	}
	results, err := note.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "note.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results.Results {
		if !strings.Contains(string(page), html.EscapeString(r.Name)) {
			t.Errorf("%s: the note does not show the result %q", name, r.Name)
		}
	}
	return results
}

func value(t *testing.T, r *note.Results, name string) report.Number {
	t.Helper()
	for _, x := range r.Results {
		if strings.Contains(x.Name, name) {
			return x
		}
	}
	t.Fatalf("no result is named like %q", name)
	return report.Number{}
}

func TestCorpus(t *testing.T) {
	r := headless(t, "corpus", "items=testdata/items/columns.csv", "columns=question=prompt,options=first second third,answer=label,form=0", "shares=train=1")
	if kept := value(t, r, "items/train"); kept.Value != 3 {
		t.Errorf("%v items are kept, expected the file's 3", kept.Value)
	}
}

// TestLogsAreComparedWithoutAModel: on what the harness wrote, and where it is there on what a real model wrote on BIG-Bench-Hard.
func TestLogsAreComparedWithoutAModel(t *testing.T) {
	r := headless(t, "compare")
	if right, wrong, d := value(t, r, "flipped_right"), value(t, r, "flipped_wrong"), value(t, r, "difference"); right.N != 6 || d.CI95 == nil || d.Value != (right.Value-wrong.Value)/6 {
		t.Errorf("difference %+v with %v gained and %v lost", d, right.Value, wrong.Value)
	}
	if p := value(t, r, "mcnemar_p").Value; p <= 0 || p > 1 {
		t.Errorf("p = %v", p)
	}
	parameters := []string{}
	dir := filepath.Join(root, "..", "shared", "data", "bbh-outputs")
	if _, err := os.Stat(dir); err == nil {
		parameters = []string{"log=../shared/data/bbh-outputs/cot/navigate.json", "against=../shared/data/bbh-outputs/direct/navigate.json"}
	}
	r = headless(t, "rescore", parameters...)
	accuracy, unparsed := value(t, r, "accuracy"), value(t, r, "unparsed")
	if len(parameters) == 0 {
		if accuracy.N != 5 || unparsed.Value < 0 {
			t.Errorf("accuracy %+v, unparsed %+v", accuracy, unparsed)
		}
		return
	}
	if accuracy.Value < 0.959 || accuracy.Value > 0.969 || accuracy.N != 250 || value(t, r, "flipped_right").Value != 122 || value(t, r, "flipped_wrong").Value != 7 || value(t, r, "accuracy/against").Value > 0.51 {
		t.Errorf("accuracy %+v of 96.4 %% published, unparsed %+v", accuracy, unparsed)
	}
}

func TestQuickstart(t *testing.T) {
	r := headless(t, "quickstart", "limit=60")
	if base := value(t, r, "acc/all/baseline"); base.N != 60 || base.Value < 0.5 {
		t.Errorf("the embedded model answers %v of %d items, expected more than half of 60: guessing gives a quarter", base.Value, base.N)
	}
	for _, arm := range []string{"released", "literal", "first-release"} {
		d := value(t, r, "acc/all/"+arm+"/difference")
		if d.CI95 == nil || d.CI95.Low > d.Value || d.CI95.High < d.Value {
			t.Errorf("%s: difference %v with interval %v", arm, d.Value, d.CI95)
		}
		if p := value(t, r, "acc/all/"+arm+"/p").Value; p <= 0 || p > 1 {
			t.Errorf("%s: p = %v", arm, p)
		}
	}
	// What the gain of first-release does to attention on position 0 follows from the formula: every row's sum grows by it.
	if c := value(t, r, "first_mass_change/first-release"); !(c.Value > 0) {
		t.Errorf("a uniform gain changes the attention on position 0 by %v, expected more than 0", c.Value)
	}
	for _, table := range []string{"classes", "comparison", "emulation"} {
		if len(r.Tables[table].Rows) == 0 {
			t.Errorf("no table %q in results.json", table)
		}
	}
}

func TestQuickstartOnRealInput(t *testing.T) {
	for _, dir := range []string{"data/models/stories260k", "data/siqa"} {
		if _, err := os.Stat(filepath.Join(root, "..", "shared", dir)); err != nil {
			t.Skipf("needs the folder shared/%s beside the repository, which is absent", dir)
		}
	}
	r := headless(t, "quickstart", "model=../shared/data/models/stories260k", "items=../shared/data/siqa", "limit=30")
	base := value(t, r, "acc/all/baseline")
	if base.N != 30 || !strings.HasPrefix(base.Name, "siqa@") {
		t.Errorf("baseline is %+v, expected 30 items of siqa", base)
	}
	if rate := value(t, r, "sink_rate/"); rate.Value != 0 {
		t.Errorf("stories260k has a sink rate of %v, expected 0: no head gives position 0 more than 0.04", rate.Value)
	}
}

// TestOtherRecipes runs what is left on few items: every cell must succeed and the named results must be there.
func TestOtherRecipes(t *testing.T) {
	for _, c := range []struct {
		recipe     string
		parameters []string
		want       []string // parts of result names
	}{
		{"sinks", []string{"limit=4"}, []string{"sink_rate", "entropy"}},
		{"emulate", []string{"limit=3", "tokens=8", `spec={"alpha":0.5,"tau":0.02}`}, []string{"KL(plain || changed)", "entropy of the next token"}},
		{"ablate", []string{"limit=8", "alphas=1", "taus=", "sources=", "renormalise=row", "controls=uniform"}, []string{"difference"}},
		{"reason", []string{"limit=4", "budgets=8 12", "samples=2", "interventions=off released"}, []string{"acc/all/direct", "acc/all/self-consistency 2 x 12, released/difference", "acc/all/cot 12/against filler like cot 12", "tokens/cot 8"}},
		{"calibrate", []string{"limit=10", "percent=50", "methods=act", "layers=3", "heads=2", "draws=1"}, []string{"calibrate/act/score/heads", "calibrate/act/entropy/heads"}},
		{"evaluate", []string{"limit=4", "arms=released first-release", "controls=uniform", "items=generated:easy testdata/items/items.csv"}, []string{"acc/all/baseline", "items@", "/acc/all/uniform of released", "/acc/all/released/against uniform of released"}},
		{"perplexity", []string{"limit=3", "arms=released", "controls=uniform"}, []string{"perplexity/baseline", "loss/released/difference", "loss/released/against uniform of released"}},
		{"bench", []string{"tokens=16", "prompt=8", "newTokens=4", "batch=2", "repeats=1", "peer=false", "memory=small"}, []string{"speed/prefill", "speed/decode_batch_1", "speed/decode_batch_2", "memory/peak over weights"}},
		{"pretrain", []string{"trainItems=120", "gradedItems=120", "heldOut=24", "hidden=32", "intermediate=48", "layers=2", "steps=4", "batch=2", "probes=2"}, []string{"loss", "acc/all/model", "sink_rate"}},
		{"finetune", []string{"trainItems=60", "heldOut=20", "steps=2", "rows=1", "probeEvery=2", "rank=2"}, []string{"held-out loss/after", "change/row entropy", "attention_share_change", "acc/all/after"}},
	} {
		t.Run(c.recipe, func(t *testing.T) {
			r := headless(t, c.recipe, c.parameters...)
			for _, name := range c.want {
				value(t, r, name)
			}
		})
	}
}

// TestParity compares the embedded model with what transformers computed on it.
func TestParity(t *testing.T) {
	r := headless(t, "parity")
	for _, x := range r.Results {
		if strings.Contains(x.Name, "greedy") && x.Value != 1 || !strings.Contains(x.Name, "greedy") && x.Value > x.Tolerance {
			t.Errorf("%s is %v (tolerance %v)", x.Name, x.Value, x.Tolerance)
		}
	}
	if len(r.Results) != 22 {
		t.Errorf("%d rows, expected logits, greedy and five interventions of each, 8 layers' attention, and two sink tensors", len(r.Results))
	}
}

// TestTourUnderNbconvert runs the first notebook with Jupyter's own executor on the kernelspec that the command installs.
func TestTourUnderNbconvert(t *testing.T) {
	nbconvert, err := exec.LookPath("jupyter-nbconvert")
	if err != nil {
		t.Skip("needs jupyter-nbconvert, which is not installed (Debian: apt-get install --no-install-recommends jupyter-nbconvert)")
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	var log bytes.Buffer
	tools, err := kernel.BuildTools(ctx, abs, &log, false)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	data, out := t.TempDir(), t.TempDir()
	if _, err := kernel.InstallSpec(ctx, tools, kernel.SpecOptions{Root: abs, Backend: "go", DataDir: data}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, nbconvert, "--to", "notebook", "--execute", "--ExecutePreprocessor.timeout=600", "--output-dir", out, filepath.Join(abs, "notebooks", "01-attention-sinks.ipynb"))
	cmd.Env = append(os.Environ(), "JUPYTER_DATA_DIR="+data)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nbconvert: %v\n%s", err, text)
	}
	nb, err := notebook.Read(filepath.Join(out, "01-attention-sinks.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := nb.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("image/png")); n != 3 {
		t.Errorf("the executed notebook holds %d figures, expected 3", n)
	}
	if bytes.Contains(text, []byte("exit status")) {
		t.Error("a cell failed")
	}
}
