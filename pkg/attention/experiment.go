package model

import "strings"

// Sequence attaches experiments in order: at each site the first acts first, and the next sees what it left. An intervention
// followed by an observer measures the attention that the intervention made.
func Sequence(experiments ...Experiment) Experiment {
	var s sequence
	for _, e := range experiments {
		if e != nil {
			s = append(s, e)
		}
	}
	switch len(s) {
	case 0:
		return nil
	case 1:
		return s[0]
	}
	return s
}

type sequence []Experiment

func (s sequence) Key() string {
	keys := make([]string, len(s))
	for i, e := range s {
		keys[i] = e.Key()
	}
	return strings.Join(keys, " then ")
}

func (s sequence) Attach(run *Run) func(*Site) {
	var visits []func(*Site)
	for _, e := range s {
		if v := e.Attach(run); v != nil {
			visits = append(visits, v)
		}
	}
	if visits == nil {
		return nil
	}
	return func(site *Site) {
		for _, v := range visits {
			v(site)
		}
	}
}
