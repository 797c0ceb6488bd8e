package emulate

import (
	"fmt"
	"sort"
	"strings"
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
