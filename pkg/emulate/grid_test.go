package emulate_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
)

func TestGridPoints(t *testing.T) {
	g := emulate.Grid{Base: emulate.Released(), Alphas: []float64{0.2, 1}, Taus: []float64{0.01, 0.05}, Sources: []int{0, 1}, Renormalise: []emulate.Renormalisation{emulate.RenormaliseNone, emulate.RenormaliseRow}}
	names := func(points []emulate.Point) (out []string) {
		for _, p := range points {
			out = append(out, p.Name)
		}
		return out
	}
	one, err := g.Points()
	if want := []string{"base", "alpha 1", "tau 0.05", "source 1", "renormalise row"}; err != nil || !slices.Equal(names(one), want) {
		t.Errorf("points are %q, %v, expected %q", names(one), err, want)
	}
	g.Full = true
	all, err := g.Points()
	if err != nil || len(all) != 16 || all[0].Spec.Hash() != emulate.Released().Hash() {
		t.Errorf("%d points of 2x2x2x2, %v: %q", len(all), err, names(all))
	}
	for _, name := range []string{"uniform", "random", "local", "suppress"} {
		if p, err := g.Control(name, 3); err != nil || p.Name != name || p.Spec.Hash() == g.Base.Hash() {
			t.Errorf("control %s: %+v, %v", name, p, err)
		}
	}
	if _, err := (emulate.Grid{Base: emulate.FirstRelease()}).Control("random", 3); err == nil {
		t.Error("a random control of first-release is accepted")
	}
	if _, err := g.Control("magic", 3); err == nil {
		t.Error("an unknown control is accepted")
	}
	g.Taus = []float64{2}
	if _, err := g.Points(); err == nil || !strings.Contains(err.Error(), "tau 2") {
		t.Errorf("a threshold of 2: %v", err)
	}
}

func TestReadTakesNamesJSONAndFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "spec.json")
	if err := os.WriteFile(file, []byte(`[{"alpha":1,"tau":0.01},{"alpha":0.5,"mask":"all"}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	find := func(p string) (string, error) {
		if _, err := os.Stat(filepath.Join(dir, p)); err != nil {
			return "", errors.New("no such file: " + p)
		}
		return filepath.Join(dir, p), nil
	}
	for text, want := range map[string]emulate.Plan{
		"released": {emulate.Released()}, "random": {emulate.Random(emulate.Released(), 1)}, "off": {{}},
		` {"alpha":1,"tau":0.01}`: {emulate.Literal()}, "spec.json": {emulate.Literal(), emulate.FirstRelease()},
	} {
		if got, err := emulate.Read(text, find); err != nil || got.Hash() != want.Hash() {
			t.Errorf("%q reads as %v, %v, expected %v", text, got, err, want)
		}
	}
	if _, err := emulate.Read("relased", find); err == nil || !strings.Contains(err.Error(), "first-release") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a misspelt name: %v", err)
	}
	for _, name := range emulate.Names() {
		if _, err := emulate.Named(name); err != nil {
			t.Error(err)
		}
	}
}
