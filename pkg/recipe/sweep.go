package recipe

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/notebook"
)

// Axis is a parameter with the values that a sweep gives it, as a user writes them.
type Axis struct {
	Name   string
	Values []string
}

// ParseAxis reads "alpha=0.1,0.2,0.4". Values that hold commas are given as a JSON list: `arms=["released", "uniform random"]`.
func ParseAxis(text string) (Axis, error) {
	name, list, found := strings.Cut(text, "=")
	a := Axis{Name: strings.TrimSpace(name)}
	if !found || a.Name == "" {
		return a, fmt.Errorf("sweep %q: expected NAME=VALUE,VALUE,... such as limit=20,50", text)
	}
	if strings.HasPrefix(list, "[") {
		wrapped, err := object([]byte(`{"list": ` + list + `}`))
		if err != nil {
			return a, fmt.Errorf("sweep %q: %w; expected a JSON list such as [\"released\", \"uniform random\"]", text, err)
		}
		values, _ := wrapped["list"].([]any)
		for _, value := range values {
			word, err := written(value)
			if err != nil {
				return a, fmt.Errorf("sweep %q: %w", text, err)
			}
			a.Values = append(a.Values, word)
		}
	} else {
		a.Values = strings.Split(list, ",")
	}
	if len(a.Values) < 2 {
		return a, fmt.Errorf("sweep %q: it gives %s %d value, expected two or more, separated by commas", text, a.Name, len(a.Values))
	}
	for i, v := range a.Values {
		if slices.Contains(a.Values[:i], v) {
			return a, fmt.Errorf("sweep %q: the value %q is there twice", text, v)
		}
	}
	return a, nil
}

// maxPoints of a sweep: more is a typing error.
const maxPoints = 1000

// Point is one run of a sweep.
type Point struct {
	Name      string            // "alpha=0.1, seed=2"
	Folder    string            // its directory's name below the sweep's
	Values    map[string]string // of the axes
	Overrides notebook.Overrides
	Dir       string // where it ran; "" = not yet
}

// Points are all combinations of the axes' values, the last axis fastest, over the parameters that all of them share.
func Points(axes []Axis, shared notebook.Overrides) ([]Point, error) {
	points := []Point{{Values: map[string]string{}}}
	for i, axis := range axes {
		if _, given := shared[axis.Name]; given {
			return nil, fmt.Errorf("parameter %q is both given and swept: keep one", axis.Name)
		}
		if slices.ContainsFunc(axes[:i], func(a Axis) bool { return a.Name == axis.Name }) {
			return nil, fmt.Errorf("parameter %q is swept twice: keep one", axis.Name)
		}
		var next []Point
		for _, p := range points {
			for _, value := range axis.Values {
				values := maps.Clone(p.Values)
				values[axis.Name] = value
				next = append(next, Point{Name: strings.TrimPrefix(p.Name+", "+axis.Name+"="+value, ", "), Values: values})
			}
		}
		if points = next; len(points) > maxPoints {
			return nil, fmt.Errorf("the sweep has more than %d points", maxPoints)
		}
	}
	folders := map[string]bool{}
	for i := range points {
		p := &points[i]
		p.Overrides = notebook.Overrides{}
		maps.Copy(p.Overrides, shared)
		maps.Copy(p.Overrides, p.Values)
		if p.Folder = folderName(p.Name); folders[p.Folder] {
			p.Folder = fmt.Sprintf("%s-%d", p.Folder, i+1)
		}
		folders[p.Folder] = true
	}
	return points, nil
}

var notInFolder = regexp.MustCompile(`[^A-Za-z0-9._=+-]+`)

// folderName makes a name that is a folder's everywhere; a long one is cut.
func folderName(name string) string {
	folder := strings.Trim(notInFolder.ReplaceAllString(name, "_"), "._")
	if len(folder) > 80 {
		folder = folder[:80]
	}
	if folder == "" {
		return "point"
	}
	return folder
}

// SweepFile is the file in a sweep's directory that lists its points.
const SweepFile = "sweep.json"

// sweepFile is its content.
type sweepFile struct {
	Recipe string       `json:"recipe"`
	Axes   []Axis       `json:"axes"`
	Points []sweepPoint `json:"points"`
}

type sweepPoint struct {
	Values map[string]string `json:"values"`
	Dir    string            `json:"dir"`
}

// sweepJSON describes a sweep.
func sweepJSON(recipe string, axes []Axis, points []Point) ([]byte, error) {
	f := sweepFile{Recipe: recipe, Axes: axes}
	for _, p := range points {
		f.Points = append(f.Points, sweepPoint{p.Values, filepath.ToSlash(p.Folder)})
	}
	return json.MarshalIndent(f, "", " ")
}
