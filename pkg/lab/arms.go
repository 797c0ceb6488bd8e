package lab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Arm is one thing to compare; it is data: JSON is what its results are stored under.
type Arm struct {
	Name     string
	Plan     emulate.Plan    // interventions in order; empty = the untouched model
	Answer   json.RawMessage // how it answers; empty = log-likelihood of the choices
	Controls []string        // names of the arms of equal size that it is also judged against
}

// Arms are what is compared; the first is what the others are compared with.
type Arms []Arm

// Baseline is the name of the untouched model among arms.
const Baseline = "baseline"

// Arms reads interventions: the untouched model first, then presets ("released"), controls ("uniform"), specs as JSON or files of them, separated by spaces; "a+b" acts in order.
// "off" and "baseline" name the untouched model, which is there already.
func (s *Session) Arms(names string) Arms {
	arms := Arms{{Name: Baseline}}
	for _, name := range client.Names(names) {
		if name == "off" || name == Baseline {
			continue
		}
		plan := s.intervention("arms", names, name)
		arms = append(arms, Arm{Name: armName(name), Plan: plan})
	}
	return arms
}

// armName shortens JSON to what a table can hold.
func armName(name string) string {
	if len(name) > 40 {
		return strings.ToValidUTF8(name[:40], "") + "..."
	}
	return name
}

// intervention reads one; parts joined by + act in order.
func (s *Session) intervention(parameter, value, text string) emulate.Plan {
	return check(client.Plan(parameter, value, text, s.dirs))
}

// Parts define the arms: name, hash and what each does, in words and as JSON.
func (a Arms) Parts() []*report.Part {
	t := report.Table{Name: "arms", Title: "The arms", Columns: []string{"arm", "hash", "intervention"}}
	p := &report.Part{Facts: map[string]any{}}
	for _, arm := range a {
		words := "nothing is changed"
		if len(arm.Plan) > 0 {
			words = arm.Plan.String()
		}
		t.Rows = append(t.Rows, []any{arm.Name, arm.Plan.Hash(), words})
		p.Arms = append(p.Arms, report.Arm{Name: arm.Name, Words: words, Definition: arm.definition()})
		p.Facts["spec."+arm.Name] = string(arm.Plan.JSON())
	}
	p.Tables = []report.Table{t}
	return []*report.Part{p}
}

// definition is what the arm's results depend on.
func (a Arm) definition() json.RawMessage {
	text, err := json.Marshal(struct {
		Plan   json.RawMessage `json:"plan"`
		Answer json.RawMessage `json:"answer,omitempty"`
	}{a.Plan.JSON(), a.Answer})
	if err != nil {
		fail(err)
	}
	return text
}

// Grid says how a base is varied; its fields are a recipe's parameters, lists separated by spaces.
type Grid struct {
	Base        string // a preset, a Spec as JSON, or a file of it
	Alphas      string // strengths
	Taus        string // thresholds
	Sources     string // source layers
	Renormalise string // none, row, keep-diagonal
	Controls    string // of the base: uniform, random, local, suppress
	Full        bool   // every combination of the four lists instead of one change at a time
}

// Grid makes arms of it: the untouched model, the base, its variations, and controls. The base is judged against each control of its size as well: all of them but suppress, which makes a change of another size.
func (s *Session) Grid(g Grid) Arms {
	plan := s.intervention("base", g.Base, g.Base)
	if len(plan) != 1 {
		fail(client.Parameter("base", g.Base, "it has %d steps, a grid varies one", len(plan)))
	}
	grid := emulate.Grid{Base: plan[0], Alphas: numbers("alphas", g.Alphas), Taus: numbers("taus", g.Taus), Sources: integers("sources", g.Sources), Full: g.Full}
	for _, word := range strings.Fields(g.Renormalise) {
		switch word {
		case "none":
			word = ""
		case "row", "keep-diagonal", "rest":
		default:
			fail(client.Parameter("renormalise", g.Renormalise, "%q is not one of none, row, keep-diagonal, rest%s", word, client.Suggest(word, []string{"none", "row", "keep-diagonal", "rest"})))
		}
		grid.Renormalise = append(grid.Renormalise, emulate.Renormalisation(word))
	}
	arms := Arms{{Name: "untouched"}}
	points, err := grid.Points()
	if err != nil {
		fail(err)
	}
	for _, p := range points {
		arms = append(arms, Arm{Name: p.Name, Plan: emulate.Plan{p.Spec}})
	}
	for _, name := range strings.Fields(g.Controls) {
		p, err := grid.Control(name, uint32(s.options.Seed))
		if err != nil {
			fail(client.Parameter("controls", g.Controls, "%v", err))
		}
		arms = append(arms, Arm{Name: p.Name, Plan: emulate.Plan{p.Spec}})
		if name != "suppress" && !slices.Contains(arms[1].Controls, p.Name) {
			arms[1].Controls = append(arms[1].Controls, p.Name)
		}
	}
	return arms
}

// Reasoning are ways of computing before the answer; its fields are a recipe's parameters, lists separated by spaces.
type Reasoning struct {
	Budgets       string  // tokens of reasoning at most; the last is that of budget forcing and of self-consistency
	Fillers       string  // tokens of filler
	Repeats       string  // times that the problem is written
	Matched       bool    // beside each arm that reasons once or repeats, its control: fillers of as many tokens, item by item
	Waits         int     // times that reasoning which ends is made to go on; 0 = no such arm
	Samples       int     // reasonings of self-consistency; 0 = no such arm
	Temperature   float64 // of their sampling
	Instruction   bool    // put the instruction before the prompt, for models that are trained to follow one
	Interventions string  // on attention, with each of the arms: names, JSON or files; "off" = none
}

// Reasoning makes arms of it: every way of computing under every intervention, answering at once without one first.
func (s *Session) Reasoning(r Reasoning) Arms {
	type way struct {
		Kind        string  `json:"kind"`
		Budget      int     `json:"budget,omitempty"`
		Waits       int     `json:"waits,omitempty"`
		Samples     int     `json:"samples,omitempty"`
		Temperature float64 `json:"temperature,omitempty"`
		Seed        uint64  `json:"seed,omitempty"`
		Times       int     `json:"times,omitempty"`
		Instructed  bool    `json:"instructed,omitempty"`
		Like        *way    `json:"like,omitempty"`
	}
	ways := []way{{Kind: "direct"}}
	names := []string{"direct"}
	add := func(name string, w way) { ways, names = append(ways, w), append(names, name) }
	matched := map[string]string{} // arm to control
	addMatched := func(name string, w way) {
		if add(name, w); r.Matched {
			matched[name] = "filler like " + name
			add(matched[name], way{Kind: "filler", Like: &w})
		}
	}
	for _, n := range integers("fillers", r.Fillers) {
		add(fmt.Sprintf("filler %d", n), way{Kind: "filler", Budget: n})
	}
	for _, n := range integers("repeats", r.Repeats) {
		addMatched(fmt.Sprintf("repeat %d", n), way{Kind: "repeat", Times: n})
	}
	most := 0
	for _, n := range integers("budgets", r.Budgets) {
		addMatched(fmt.Sprintf("cot %d", n), way{Kind: "cot", Budget: n, Instructed: r.Instruction})
		most = n
	}
	if r.Waits < 0 || r.Samples < 0 || r.Temperature < 0 {
		fail(client.Parameter("samples", fmt.Sprint(r.Samples), "waits, samples and temperature are 0 or more"))
	}
	if r.Waits > 0 && most > 0 {
		addMatched(fmt.Sprintf("budget %d, waits %d", most, r.Waits), way{Kind: "budget", Budget: most, Waits: r.Waits, Instructed: r.Instruction})
	}
	if r.Samples > 0 && most > 0 {
		add(fmt.Sprintf("self-consistency %d x %d", r.Samples, most), way{Kind: "self-consistency", Budget: most, Samples: r.Samples, Temperature: r.Temperature, Seed: s.options.Seed, Instructed: r.Instruction})
	}
	var arms Arms
	for _, name := range client.Names(r.Interventions) {
		var plan emulate.Plan
		if name != "off" {
			plan = s.intervention("interventions", r.Interventions, name)
		}
		under := ""
		if name != "off" {
			under = ", " + armName(name)
		}
		for i, w := range ways {
			arm := Arm{Name: names[i] + under, Plan: plan, Answer: check(json.Marshal(w))}
			if control := matched[names[i]]; control != "" {
				arm.Controls = []string{control + under}
			}
			arms = append(arms, arm)
		}
	}
	if len(arms) == 0 {
		fail(client.Parameter("interventions", r.Interventions, "expected off, or names of interventions"))
	}
	return arms
}

// Gains draws the factor of each layer under the arms' interventions, in a model of that many layers.
func (s *Session) Gains(arms Arms, layers int) *report.Part {
	return s.part("gains", "", arms, map[string]any{"layers": layers})
}

// Numbers reads a list of numbers, separated by spaces or commas.
func Numbers(list string) []float64 { return numbers("list", list) }

func numbers(parameter, list string) []float64 { return check(client.Numbers(parameter, list)) }

func integers(parameter, list string) []int { return check(client.Integers(parameter, list)) }
