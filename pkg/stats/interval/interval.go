// Package interval holds the type of confidence intervals by itself: results.json, the notes and package lab need it and nothing else of package stats, whose
// linear algebra would be linked into every cell of a notebook.
package interval

import (
	"encoding/json"
	"fmt"
)

// Interval is a closed interval. Its JSON is the array [low, high].
type Interval struct{ Low, High float64 }

// Contains reports whether x lies in the interval, ends included.
func (i Interval) Contains(x float64) bool { return i.Low <= x && x <= i.High }

// Within reports whether the interval lies strictly between -margin and margin.
func (i Interval) Within(margin float64) bool { return -margin < i.Low && i.High < margin }

// Hull is the smallest interval that contains both.
func (i Interval) Hull(o Interval) Interval { return Interval{min(i.Low, o.Low), max(i.High, o.High)} }

// MarshalJSON writes [low, high].
func (i Interval) MarshalJSON() ([]byte, error) { return json.Marshal([2]float64{i.Low, i.High}) }

// UnmarshalJSON reads [low, high].
func (i *Interval) UnmarshalJSON(text []byte) error {
	var ends []float64
	if err := json.Unmarshal(text, &ends); err != nil {
		return fmt.Errorf("interval %s: expected [low, high]: %w", text, err)
	}
	if len(ends) != 2 {
		return fmt.Errorf("interval %s has %d values, expected [low, high]", text, len(ends))
	}
	i.Low, i.High = ends[0], ends[1]
	return nil
}
