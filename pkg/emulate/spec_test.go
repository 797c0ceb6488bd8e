package emulate

import (
	"math"
	"reflect"
	"testing"
)

// TestHashIsStable pins the hashes: a Spec written down in a note must mean the same in every later version.
func TestHashIsStable(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		json string
		hash string
	}{
		{Spec{}, `{}`, "44136fa355b3"},
		{Released(), `{"alpha":0.2,"tau":0.01}`, "b730e1de770e"},
		{Literal(), `{"alpha":1,"tau":0.01}`, "f26141420064"},
		{FirstRelease(), `{"alpha":0.5,"mask":"all"}`, "763c7ecbec7e"},
		{Spec{Alpha: 1, Tau: 0.01, Renormalise: RenormaliseRow}, `{"alpha":1,"tau":0.01,"renormalise":"row"}`, "5348bbe79fe0"},
	} {
		if got := string(c.spec.JSON()); got != c.json {
			t.Errorf("JSON is %s, expected %s", got, c.json)
		}
		if got := c.spec.Hash(); got != c.hash {
			t.Errorf("hash of %s is %s, expected %s", c.json, got, c.hash)
		}
		back, err := Parse([]byte(c.json))
		if err != nil || !reflect.DeepEqual(back, c.spec) {
			t.Errorf("%s parses to %+v, %v", c.json, back, err)
		}
	}
}

func TestGain(t *testing.T) {
	for _, c := range []struct {
		spec          Spec
		layer, layers int
		want          float64
	}{
		{Released(), 0, 32, 1}, // the source itself is untouched
		{Released(), 1, 32, 1 + 0.2*(1-1.0/31)},
		{Released(), 31, 32, 1},
		{Literal(), 16, 33, 1.5},
		{FirstRelease(), 3, 5, 1.125},
		{Spec{Alpha: 0.2, Last: 31}, 39, 40, 1 + 0.2*(1-39.0/31)}, // the released constant damps layers 32..39 of a 13B model
		{Released(), 0, 1, 1},
	} {
		if got := c.spec.Gain(c.layer, c.layers); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("gain of %v at layer %d of %d is %v, expected %v", c.spec, c.layer, c.layers, got, c.want)
		}
	}
}

func TestBadSpecsAreRefused(t *testing.T) {
	for _, s := range []string{
		`{"alpha":1,"tau":1}`, `{"alpha":1,"tau":-0.1}`, `{"alpha":-2}`, `{"alpha":1,"mask":"some"}`, `{"alpha":1,"mask":"all","tau":0.1}`,
		`{"alpha":1,"renormalise":"column"}`, `{"alpha":1,"mask":"all","renormalise":"row"}`, `{"alpha":1,"phase":"training"}`, `{"alpha":1,"last":-1}`,
		`{"alfa":1}`, `{"alpha":"1"}`, `[]`,
	} {
		if spec, err := Parse([]byte(s)); err == nil {
			t.Errorf("%s is accepted as %+v", s, spec)
		}
	}
	if _, err := Preset("relased"); err == nil {
		t.Error("a misspelt preset is accepted")
	}
	if err := (Spec{Alpha: math.NaN()}).Validate(); err == nil {
		t.Error("alpha NaN is accepted")
	}
}
