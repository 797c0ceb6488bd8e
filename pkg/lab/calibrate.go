package lab

import (
	"slices"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Calibrate says how heads are chosen for interventions that were published for chosen heads; its fields are a recipe's parameters, lists separated by spaces.
type Calibrate struct {
	Methods   string  // zero-tuning, act, pasta
	By        string  // what heads are chosen by: score (of the right answer), entropy (of the answer, whatever it is)
	Gain      float64 // of the methods; 0 = each one's published one
	Heads     int     // chosen at most; 0 = a tenth of the candidates
	Layers    string  // of the candidates; "" = all, for act the middle ones
	Percent   int     // of the items, to choose on; 0 = 50. The others test
	Draws     int     // sets of random heads: the first is the control, the others show its spread; 0 = 5
	Highlight string  // what pasta steers to: question or options; "" = question
}

// Values that parameters of a calibration may have.
var (
	calibrateMethods    = []string{"zero-tuning", "act", "pasta"}
	calibrateCriteria   = []string{"score", "entropy"}
	calibrateHighlights = []string{"question", "options"}
)

// Calibration is a handle on heads that are chosen on one part of the session's items and tested on the rest, by one method and one criterion. It is lazy, and each
// head's answers are kept in the store.
type Calibration struct {
	session *Session
	args    args
}

// Calibrate makes a calibration of every method by every criterion. Criteria of one method share the answers.
func (s *Session) Calibrate(c Calibrate) []*Calibration {
	methods, criteria := chosenOf("methods", c.Methods, calibrateMethods), chosenOf("by", c.By, calibrateCriteria)
	highlight := "question"
	if c.Highlight != "" {
		highlight = chosenOf("highlight", c.Highlight, calibrateHighlights)[0]
	}
	layers := check(client.Integers("layers", c.Layers))
	var out []*Calibration
	for _, method := range methods {
		for _, by := range criteria {
			out = append(out, &Calibration{s, args{"method": method, "by": by, "gain": c.Gain, "heads": c.Heads, "layers": layers, "percent": c.Percent, "draws": c.Draws,
				"highlight": highlight, "first": len(out) == 0}})
		}
	}
	return out
}

// chosenOf reads a parameter that lists some of the known names, at least one.
func chosenOf(parameter, list string, known []string) []string {
	names := client.Fields(list)
	for _, name := range names {
		if !slices.Contains(known, name) {
			fail(client.Parameter(parameter, list, "%q is not one of %v%s", name, known, client.Suggest(name, known)))
		}
	}
	if len(names) == 0 {
		fail(client.Parameter(parameter, list, "expected some of %v", known))
	}
	return names
}

// Title is the method and the criterion.
func (c *Calibration) Title() string {
	return c.args["method"].(string) + ", heads chosen by " + c.args["by"].(string)
}

// Heads is the table of the chosen heads.
func (c *Calibration) Heads() *report.Part { return c.view("heads") }

// Map is the response of every head, by layer and head.
func (c *Calibration) Map() *report.Part { return c.view("map") }

// Test compares the chosen heads with the untouched model and with as many random heads, on the items that they were not chosen on.
func (c *Calibration) Test() *report.Part { return c.view("test") }

// Parts are all three.
func (c *Calibration) Parts() []*report.Part { return []*report.Part{c.Heads(), c.Map(), c.Test()} }

// Arm is the method on the chosen heads, to be used on other items: on the items that the heads were chosen on it looks better than it is.
func (c *Calibration) Arm() Arm {
	arm := Arm{Name: c.args["method"].(string)}
	if spec := data[emulate.Spec](c.session, "calibrate", "spec", nil, c.args); spec.Enabled() {
		arm.Plan = emulate.Plan{spec}
	}
	return arm
}

func (c *Calibration) view(name string) *report.Part {
	return c.session.part("calibrate", name, nil, c.args)
}
