package emulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
)

// Spec declares an intervention on attention. The zero value is off.
//
// In JSON a field at its zero value is left out, so a field added later leaves the hash of every older Spec as it is.
type Spec struct {
	// Alpha is the strength of the gain at depth 0; 0 = off. The gain of layer l is 1 + Alpha*(1 - l/last).
	Alpha float64 `json:"alpha,omitempty"`
	// Tau is the threshold: an entry passes where layer 0's probability is above it. Probabilities are below 1, so is Tau.
	Tau float64 `json:"tau,omitempty"`
	// Mask says which entries get the gain; empty = those above Tau off the diagonal.
	Mask Mask `json:"mask,omitempty"`
	// Last is the layer at which the gain reaches 1; 0 = the model's last layer. The released code fixes 31, also for models of 40 layers,
	// whose last eight it thereby damps.
	Last int `json:"last,omitempty"`
	// Renormalise says what becomes of the rows' sums; empty = rows keep the mass they gained.
	Renormalise Renormalisation `json:"renormalise,omitempty"`
	// Phase restricts the intervention to prefill or to decoding; empty = both.
	Phase Phase `json:"phase,omitempty"`
}

// Mask is a way to choose the entries that get the gain.
type Mask string

const (
	MaskThreshold Mask = ""    // layer 0's probability above Tau, the diagonal excluded
	MaskAll       Mask = "all" // every entry of every row: a uniform gain on the attention output
)

// Renormalisation is what happens to a row after the gain.
type Renormalisation string

const (
	RenormaliseNone Renormalisation = ""    // as the authors do: a row sums to 1 + (g-1) * its masked mass
	RenormaliseRow  Renormalisation = "row" // every row is divided by its sum
)

// Phase restricts an intervention to a part of the computation.
type Phase string

const (
	PhaseBoth    Phase = ""
	PhasePrefill Phase = "prefill"
	PhaseDecode  Phase = "decode"
)

// Released is what the authors' corrected code does: mask A_0 > 0.01 off the diagonal, alpha 0.2.
func Released() Spec { return Spec{Alpha: 0.2, Tau: 0.01} }

// Literal is the formula as the paper prints it, which has no alpha: alpha 1 with the same mask.
func Literal() Spec { return Spec{Alpha: 1, Tau: 0.01} }

// FirstRelease is what the first public code did: its mask was never passed on, so every entry of every row gets the gain, with alpha 0.5.
func FirstRelease() Spec { return Spec{Alpha: 0.5, Mask: MaskAll} }

// Presets are the three published methods by name.
func Presets() map[string]Spec {
	return map[string]Spec{"released": Released(), "literal": Literal(), "first-release": FirstRelease()}
}

// PresetNames lists the presets in the order in which they are shown.
func PresetNames() []string { return []string{"released", "literal", "first-release"} }

// Preset returns a published method by name; "off" and "baseline" are the zero Spec.
func Preset(name string) (Spec, error) {
	if name == "off" || name == "baseline" {
		return Spec{}, nil
	}
	if s, ok := Presets()[name]; ok {
		return s, nil
	}
	names := append([]string{"off"}, PresetNames()...)
	sort.Strings(names)
	return Spec{}, fmt.Errorf("no preset is named %q, expected one of %s", name, strings.Join(names, ", "))
}

// Enabled reports whether the Spec changes anything.
func (s Spec) Enabled() bool { return s.Alpha != 0 }

// Validate reports a Spec that means nothing: values out of range, or fields that contradict each other.
func (s Spec) Validate() error {
	switch {
	case math.IsNaN(s.Alpha) || math.IsInf(s.Alpha, 0) || s.Alpha < -1:
		return fmt.Errorf("alpha is %v, expected a finite number of at least -1 (the gain 1+alpha may not be negative)", s.Alpha)
	case math.IsNaN(s.Tau) || s.Tau < 0 || s.Tau >= 1:
		return fmt.Errorf("tau is %v, expected 0 to below 1: it is compared with probabilities", s.Tau)
	case s.Mask != MaskThreshold && s.Mask != MaskAll:
		return fmt.Errorf("mask is %q, expected \"\" (threshold) or %q", s.Mask, MaskAll)
	case s.Mask == MaskAll && s.Tau != 0:
		return fmt.Errorf("mask %q takes every entry, but tau is %v: leave tau out or use the threshold mask", s.Mask, s.Tau)
	case s.Renormalise != RenormaliseNone && s.Renormalise != RenormaliseRow:
		return fmt.Errorf("renormalise is %q, expected \"\" (none) or %q", s.Renormalise, RenormaliseRow)
	case s.Mask == MaskAll && s.Renormalise == RenormaliseRow:
		return fmt.Errorf("mask %q with renormalise %q cancels itself: a uniform gain divided by the row's sum is no change", s.Mask, s.Renormalise)
	case s.Phase != PhaseBoth && s.Phase != PhasePrefill && s.Phase != PhaseDecode:
		return fmt.Errorf("phase is %q, expected \"\" (both), %q or %q", s.Phase, PhasePrefill, PhaseDecode)
	case s.Last < 0:
		return fmt.Errorf("last is %d, expected a layer's index or 0 for the model's last", s.Last)
	}
	return nil
}

// Gain is the factor of a layer, g_l = 1 + alpha*(1 - l/last), in a model of that many layers; exactly 1 at the last layer. Layer 0 itself
// is never changed: its pattern is what the others emulate.
func (s Spec) Gain(layer, layers int) float64 {
	last := s.Last
	if last == 0 {
		last = layers - 1
	}
	if layer == 0 || layer == last || last == 0 {
		return 1
	}
	return 1 + s.Alpha*(1-float64(layer)/float64(last))
}

// JSON is the canonical form: fields in the order of the struct, zero values left out.
func (s Spec) JSON() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // only NaN or infinity, which Validate refuses
	}
	return b
}

// Parse reads a Spec from JSON; an unknown field is an error, so that a misspelt one cannot silently mean the default.
func Parse(data []byte) (Spec, error) {
	var s Spec
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("intervention: %w", err)
	}
	return s, s.Validate()
}

// Hash identifies the Spec: the first 12 hexadecimal digits of SHA-256 over its canonical JSON.
func (s Spec) Hash() string {
	sum := sha256.Sum256(s.JSON())
	return hex.EncodeToString(sum[:6])
}

// String is one line for tables and logs.
func (s Spec) String() string {
	if !s.Enabled() {
		return "off"
	}
	parts := []string{fmt.Sprintf("alpha %g", s.Alpha)}
	if s.Mask == MaskAll {
		parts = append(parts, "every entry")
	} else {
		parts = append(parts, fmt.Sprintf("A_0 > %g off the diagonal", s.Tau))
	}
	if s.Last != 0 {
		parts = append(parts, fmt.Sprintf("last %d", s.Last))
	}
	if s.Renormalise == RenormaliseRow {
		parts = append(parts, "rows renormalised")
	}
	if s.Phase != PhaseBoth {
		parts = append(parts, "in "+string(s.Phase)+" only")
	}
	return strings.Join(parts, ", ")
}
