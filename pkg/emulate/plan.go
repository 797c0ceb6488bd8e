package emulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Plan is a composition: interventions that act one after the other at every site, each on what the one before left. That holds for masks
// too: a Spec whose source an earlier one has changed emulates the changed pattern. The empty Plan is off.
type Plan []Spec

// JSON is the canonical form: a list of Specs, or the Spec itself where there is one, so that a Spec and the Plan of it alone are one thing.
func (p Plan) JSON() []byte {
	switch len(p) {
	case 0:
		return Spec{}.JSON()
	case 1:
		return p[0].JSON()
	}
	b, err := json.Marshal([]Spec(p))
	if err != nil {
		panic(err) // only NaN or infinity, which Validate refuses
	}
	return b
}

// Hash identifies the Plan, as Spec.Hash does a Spec.
func (p Plan) Hash() string { return hashOf(p.JSON()) }

// String is one line.
func (p Plan) String() string {
	if len(p) == 0 {
		return "off"
	}
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.String()
	}
	return strings.Join(parts, "; then ")
}

// Validate reports the first step that means nothing.
func (p Plan) Validate() error {
	for i, s := range p {
		if err := s.Validate(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// ParsePlan reads a Plan: a list of Specs in JSON, or one Spec.
func ParsePlan(data []byte) (Plan, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		s, err := Parse(data)
		if err != nil {
			return nil, err
		}
		return Plan{s}, nil
	}
	var p Plan
	if err := decode(data, (*[]Spec)(&p)); err != nil {
		return nil, err
	}
	return p, p.Validate()
}
