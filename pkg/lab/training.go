package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Tune says how a model is tuned on structured items; its fields are the recipe's parameters.
type Tune struct {
	Grades       string  `json:"grades"`       // of generated items: easy, medium, hard
	TrainItems   int     `json:"trainItems"`   // generated items to tune on
	HeldOut      int     `json:"heldOut"`      // items to measure on
	Sections     string  `json:"sections"`     // sections that the model is trained to write
	Method       string  `json:"method"`       // lora or full
	Rank         int     `json:"rank"`         // of the adapters
	Alpha        float64 `json:"alpha"`        // adapters count alpha/rank
	Targets      string  `json:"targets"`      // projections that get adapters
	Steps        int     `json:"steps"`        // optimizer steps
	Rows         int     `json:"rows"`         // packed rows per step
	Width        int     `json:"width"`        // tokens per row
	LearningRate float64 `json:"learningRate"` // peak
	ProbeEvery   int     `json:"probeEvery"`   // steps between two looks at the sinks
	Eps          float64 `json:"eps"`          // threshold of the sink rate
}

// Pretrain says how a small model is made; its fields are the recipe's parameters.
type Pretrain struct {
	Out          string  `json:"out"`          // directory for the model; "" = model/ in the run's directory
	TrainItems   int     `json:"trainItems"`   // generated items of the first edition to train on
	GradedItems  int     `json:"gradedItems"`  // and items at the grades
	Grades       string  `json:"grades"`       // of the graded items: easy, medium, hard
	HeldOut      int     `json:"heldOut"`      // items of each kind to measure on
	Sections     string  `json:"sections"`     // weights of sections in the loss, in pairs; 1 where none is given
	Shots        int     `json:"shots"`        // items in a document
	Vocab        int     `json:"vocab"`        // tokens of the tokenizer
	Hidden       int     `json:"hidden"`       // width of the residual stream
	Intermediate int     `json:"intermediate"` // width of the MLP
	Layers       int     `json:"layers"`       // decoder layers
	Heads        int     `json:"heads"`        // query heads
	KVHeads      int     `json:"kvHeads"`      // key and value heads
	Positions    int     `json:"positions"`    // longest context
	Steps        int     `json:"steps"`        // optimizer steps
	Width        int     `json:"width"`        // tokens in a packed row
	Batch        int     `json:"batch"`        // rows per step
	Compute      string  `json:"compute"`      // of matrix products: float32, or bfloat16 on a GPU
	LearningRate float64 `json:"learningRate"` // peak, after a warm-up of a twentieth of the steps, then a cosine
	Floor        float64 `json:"floor"`        // share of the peak that is left at the end
	WeightDecay  float64 `json:"weightDecay"`  // on matrices
	Probes       int     `json:"probes"`       // looks at held-out loss and sinks on the way
	PeakFLOPs    float64 `json:"peakFLOPs"`    // of the machine, for the model-FLOP utilisation; 0 = not reported
}

// Training is a handle on a run of training. A run that was killed continues from its last checkpoint with the same numbers; one that is done is not done again.
type Training struct {
	session *Session
	kind    string
	args    args
	out     string   // where the model goes, "" = the training's folder
	sets    []string // files of held-out items in the training's folder
}

// Tune tunes the session's model on its items, split by content.
func (s *Session) Tune(t Tune) *Training { return s.training("tune", t, "", "held-out.jsonl") }

// Pretrain makes a model from scratch on generated items.
func (s *Session) Pretrain(p Pretrain) *Training {
	return s.training("pretrain", p, p.Out, "generated-"+strings.Join(client.Fields(p.Grades), "-")+".jsonl", "generated.jsonl")
}

func (s *Session) training(kind string, what any, out string, sets ...string) *Training {
	text := check(json.Marshal(what))
	t := &Training{session: s, kind: kind, out: out, sets: sets, args: args{}}
	if err := json.Unmarshal(text, &t.args); err != nil {
		fail(err)
	}
	sum := sha256.Sum256(append(text, check(json.Marshal(s.options))...))
	t.args["dir"] = kind + "-" + hex.EncodeToString(sum[:4]) // other parameters, another folder
	return t
}

// Data is what is trained on, and what is held out.
func (t *Training) Data() *report.Part { return t.session.part(t.kind, "data", nil, t.args) }

// Parts is the run: loss, held-out loss and sinks over the steps.
func (t *Training) Parts() []*report.Part {
	return []*report.Part{t.session.part(t.kind, "run", nil, t.args)}
}

// Before is the model that is tuned, on the held-out items.
func (t *Training) Before() *Session {
	s := t.on(t.sets[0])
	s.label = "before"
	return s
}

// After is the model as it was saved, on the held-out items.
func (t *Training) After() *Session { return t.after(t.sets[0]) }

// FirstEdition is a pre-trained model as it was saved, on the held-out items of the generator's first edition.
func (t *Training) FirstEdition() *Session { return t.after(t.sets[len(t.sets)-1]) }

// after does the training first where it is not done.
func (t *Training) after(set string) *Session {
	s := t.on(set)
	s.label, s.options.Model = "after", t.out
	if t.out == "" {
		s.options.Model = filepath.Join(t.dir(), "model")
	}
	if _, err := client.FindPath(filepath.Join(s.options.Model, "config.json"), s.dirs); err != nil {
		t.Parts()
	}
	return s
}

// on is the session on held-out items, which Data writes.
func (t *Training) on(set string) *Session {
	s := *t.session
	s.options.Items, s.options.Columns, s.options.Limit = filepath.Join(t.dir(), set), "", 0 // in the names that are ours
	if _, err := os.Stat(s.options.Items); err != nil {
		t.Data()
	}
	return &s
}

func (t *Training) dir() string {
	return filepath.Join(t.session.run.Dir(), "work", t.args["dir"].(string))
}
