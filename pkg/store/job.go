package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Job is everything that a result depends on but the item.
type Job struct {
	Kind      string          `json:"kind"`                // "choices", "text", "survey", "effect", "mask density", "writes": what a record holds
	Code      string          `json:"code"`                // see [Sources]; "" = unknown, as in a program without a checkout: nothing is stored
	Model     string          `json:"model"`               // hash of the weights, an adapter's too
	Tokenizer string          `json:"tokenizer,omitempty"` // hash of tokenizer.json
	Prompt    string          `json:"prompt,omitempty"`    // template, worked examples and their hash, chat template, BOS
	Arm       json.RawMessage `json:"arm,omitempty"`       // the intervention and the way of answering, defaults filled in
	Numerics  string          `json:"numerics"`            // backend, device, dtype, geometry of passes, XLA's flags and version
}

// Key identifies a job: SHA-256 of its JSON with all keys sorted, in hexadecimal.
type Key string

// Key of the job. Arms that differ in white space or in the order of keys are one; an Arm that is not JSON counts as its bytes.
func (j Job) Key() Key {
	sum := sha256.Sum256(j.canonical())
	return Key(hex.EncodeToString(sum[:]))
}

// canonical is the job's JSON with sorted keys and without white space.
func (j Job) canonical() []byte {
	var arm any
	decoder := json.NewDecoder(bytes.NewReader(j.Arm))
	decoder.UseNumber() // float64 would merge large seeds
	if len(j.Arm) > 0 && decoder.Decode(&arm) != nil {
		arm = string(j.Arm)
	}
	text, err := json.Marshal(map[string]any{"kind": j.Kind, "code": j.Code, "model": j.Model, "tokenizer": j.Tokenizer, "prompt": j.Prompt, "arm": arm, "numerics": j.Numerics})
	if err != nil { // strings and decoded JSON only: cannot fail
		panic(err)
	}
	return text
}

// check says what keeps a job from naming results.
func (j Job) check() error {
	if j.Kind == "" || j.Model == "" || j.Numerics == "" {
		return fmt.Errorf("store: a job needs kind, model and numerics, found %q, %q and %q: results of different computations would be mixed", j.Kind, j.Model, j.Numerics)
	}
	if len(j.Arm) > 0 && !json.Valid(j.Arm) {
		return fmt.Errorf("store: the arm of a job is not JSON: %.80q", j.Arm)
	}
	return nil
}
