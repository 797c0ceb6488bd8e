package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/attune-lab/attune/pkg/stats/interval"
)

// Number is one number of a run: a row of results.json.
type Number struct {
	Name  string  `json:"name"`  // unique in the run, by convention group/what: "accuracy/released"
	Value float64 `json:"value"` // finite
	Unit  string  `json:"unit"`  // "share", "points", "nats"; "" = a pure number
	N     int     `json:"n"`     // items or prompts behind it; 0 = not a sample
	// CI95 is the 95 % interval; nil = none.
	CI95 *interval.Interval `json:"ci95"`
	// Tolerance is the largest absolute difference a rerun may show, here and at the interval's ends; 0 = none.
	Tolerance float64 `json:"tolerance"`
}

// Check refuses a number without a name, NaN and infinities, a negative n or tolerance, and an interval whose ends are out of order.
func (r *Number) Check() error {
	if strings.TrimSpace(r.Name) == "" {
		return fmt.Errorf("a result of value %v has no name", r.Value)
	}
	if err := finite(r.Value); err != nil {
		return fmt.Errorf("result %q: the value is %w: report a number, or leave the row out and say why", r.Name, err)
	}
	if err := finite(r.Tolerance); err != nil || r.Tolerance < 0 {
		return fmt.Errorf("result %q: the tolerance is %v: want a number >= 0", r.Name, r.Tolerance)
	}
	if r.N < 0 {
		return fmt.Errorf("result %q: n is %d: want the number of items, or 0 where nothing was sampled", r.Name, r.N)
	}
	if ci := r.CI95; ci != nil && (finite(ci.Low) != nil || finite(ci.High) != nil || ci.Low > ci.High) {
		return fmt.Errorf("result %q: the interval is [%v, %v]: want finite ends in order", r.Name, ci.Low, ci.High)
	}
	return nil
}

func finite(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v", f)
	}
	return nil
}

// NotShown is the Word of a difference of which nothing is shown; package stats has all words.
const NotShown = "not shown"

// Compared is one arm against the first on the same items, as plain data; shares are in [0, 1].
type Compared struct {
	Arm, Group string
	N          int     // items of the group
	Right      int     // answered right by this arm
	Accuracy   float64 // mean worth: an item all of whose options tie counts as guessing
	Gained     int     // right here, wrong in the first arm
	Lost       int     // wrong here, right in the first arm
	Difference float64
	CI95       interval.Interval // of the difference
	CIFamily   interval.Interval // the same at the family's level
	P          float64           // of the score test that CI95 inverts
	Adjusted   float64           // Holm's, over the family
	Exact      float64           // McNemar's exact test
	MidP       float64           // McNemar's mid-p
	Detectable float64           // the smallest difference found with 80 % power; 0 = none reaches it
	Word       string            // "better", "worse", "not shown", ...
	Controls   []Compared        // the same against the arm's controls of equal size, whose names are in Arm
}
