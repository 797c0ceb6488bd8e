package eval

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"
)

// Comparison is what [Compare] found.
type Comparison struct {
	Task         string        `json:"task"`
	TemplateHash string        `json:"template_hash"`
	Grouping     string        `json:"grouping,omitempty"`
	N            int           `json:"n"`
	Available    int           `json:"available"` // examples before a limit
	Flips        float64       `json:"flips"`     // assumed for MinimumDetectable
	Power        float64       `json:"power"`     // assumed for MinimumDetectable
	Family       int           `json:"family"`    // tests that one Holm correction covers
	Rows         []Row         `json:"rows"`      // by metric, then group, then arm
	Scores       [][][]float64 `json:"-"`         // [arm][example][choice] log-likelihoods, in the task's order
	// Details are what [Detailed] scorers said of each example, [arm][example]; nil where a scorer says nothing.
	Details [][]json.RawMessage `json:"-"`
}

// GroupAll is the group of a row over all examples.
const GroupAll = "all"

// Row is the accuracy of one arm on one group of examples by one metric.
type Row struct {
	Name     string     `json:"name"` // see [Task.ScoreName]
	Metric   string     `json:"metric"`
	Group    string     `json:"group"` // GroupAll, a group, or "domain:" and a domain
	Arm      string     `json:"arm"`
	SpecHash string     `json:"spec_hash"`
	N        int        `json:"n"`
	Correct  int        `json:"correct"`
	Accuracy float64    `json:"accuracy"`
	CI95     [2]float64 `json:"ci95"`             // Wilson
	Chance   float64    `json:"chance"`           // accuracy of guessing
	ChanceP  float64    `json:"chance_p"`         // one-sided, see [AboveChance]
	Versus   *Paired    `json:"versus,omitempty"` // against the first arm; nil for itself
}

// Paired compares an arm with the baseline on the same examples.
type Paired struct {
	Baseline          string     `json:"baseline"`
	Difference        float64    `json:"difference"` // of accuracies, arm minus baseline
	CI95              [2]float64 `json:"ci95"`       // paired bootstrap
	Gained            int        `json:"gained"`     // only the arm is right
	Lost              int        `json:"lost"`       // only the baseline is right
	P                 float64    `json:"p"`          // McNemar, exact, two-sided
	HolmP             float64    `json:"holm_p"`     // adjusted over all arms and groups of the metric
	MinimumDetectable float64    `json:"minimum_detectable"`
}

// AtChance reports whether the accuracy cannot be told from guessing at the 5 % level.
func (r Row) AtChance() bool { return r.ChanceP > Alpha }

// String is the row as a sentence fragment, saying so when the accuracy is no better than chance.
func (r Row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %.4f [%.4f, %.4f], n=%d", r.Name, r.Accuracy, r.CI95[0], r.CI95[1], r.N)
	if r.AtChance() {
		fmt.Fprintf(&b, ", not distinguishable from chance (%.3f, p=%.2g)", r.Chance, r.ChanceP)
	}
	if v := r.Versus; v != nil {
		fmt.Fprintf(&b, "; against %s %+.4f [%+.4f, %+.4f], +%d -%d, p=%.3g, Holm %.3g", v.Baseline, v.Difference, v.CI95[0], v.CI95[1], v.Gained, v.Lost, v.P, v.HolmP)
	}
	return b.String()
}

// Row finds one by metric, group and arm.
func (c *Comparison) Row(metric, group, arm string) (Row, bool) {
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Metric == metric && r.Group == group && r.Arm == arm })
	if i < 0 {
		return Row{}, false
	}
	return c.Rows[i], true
}

// Predict is the choice of largest score, the first among equals; by [AccNorm] each score is first divided by the
// number of characters of its choice, the separating space not counted.
func Predict(metric string, choices []string, scores []float64) int {
	best, bestScore := 0, 0.0
	for i, score := range scores {
		if metric == AccNorm {
			score /= float64(max(1, utf8.RuneCountInString(strings.TrimPrefix(choices[i], " "))))
		}
		if i == 0 || score > bestScore {
			best, bestScore = i, score
		}
	}
	return best
}

func summarise(task *Task, arms []Arm, scores [][][]float64, o CompareOptions) (*Comparison, error) {
	flips := o.Flips
	if flips == 0 {
		flips = DefaultFlips
	}
	c := &Comparison{
		Task: task.Name, TemplateHash: task.TemplateHash, Grouping: task.Grouping, N: len(task.Examples), Available: task.Available,
		Flips: flips, Power: DefaultPower, Scores: scores,
	}
	for _, metric := range task.Metrics {
		from := len(c.Rows)
		right := make([][]bool, len(arms))
		for a := range arms {
			right[a] = make([]bool, len(task.Examples))
			for i, e := range task.Examples {
				right[a][i] = Predict(metric, e.Choices, scores[a][i]) == e.Answer
			}
		}
		for _, g := range groups(task, o.ByDomain) {
			for a, arm := range arms {
				row := accuracy(task, g, right[a])
				row.Name, row.Metric, row.Group = task.ScoreName(metric, g.name, arm.Name), metric, g.name
				row.Arm, row.SpecHash = arm.Name, arm.SpecHash
				if a > 0 {
					row.Versus = paired(g, right[0], right[a], row.Name, flips, o)
					row.Versus.Baseline = arms[0].Name
				}
				c.Rows = append(c.Rows, row)
			}
		}
		c.Family = adjust(c.Rows[from:])
	}
	return c, nil
}

// group is a named subset of the examples.
type group struct {
	name   string
	places []int
}

// groups lists all examples, then each group, then each domain if asked, in order of first appearance.
func groups(task *Task, byDomain bool) []group {
	all := []group{{name: GroupAll}}
	at := make(map[string]int)
	add := func(name string, place int) {
		if _, met := at[name]; !met {
			at[name] = len(all)
			all = append(all, group{name: name})
		}
		all[at[name]].places = append(all[at[name]].places, place)
	}
	for i, e := range task.Examples {
		all[0].places = append(all[0].places, i)
		if e.Group != "" {
			add(e.Group, i)
		}
	}
	if byDomain {
		for i, e := range task.Examples {
			add("domain:"+e.Domain, i)
		}
	}
	return all
}

func accuracy(task *Task, g group, right []bool) Row {
	r := Row{N: len(g.places)}
	members := make([]Example, r.N)
	for i, place := range g.places {
		members[i] = task.Examples[place]
		if right[place] {
			r.Correct++
		}
	}
	r.Accuracy = float64(r.Correct) / float64(r.N)
	r.CI95 = Wilson(r.Correct, r.N)
	r.Chance = ChanceLevel(members)
	r.ChanceP = AboveChance(r.Correct, r.N, r.Chance)
	return r
}

func paired(g group, base, arm []bool, name string, flips float64, o CompareOptions) *Paired {
	p := new(Paired)
	for _, place := range g.places {
		switch {
		case arm[place] && !base[place]:
			p.Gained++
		case base[place] && !arm[place]:
			p.Lost++
		}
	}
	n := len(g.places)
	p.Difference = float64(p.Gained-p.Lost) / float64(n)
	// Each row draws its own resamples, whatever other rows there are.
	own := fnv.New64a()
	own.Write([]byte(name))
	p.CI95 = PairedBootstrap(p.Gained, p.Lost, n, o.Resamples, o.Seed^own.Sum64())
	p.P = McNemarExact(p.Gained, p.Lost)
	p.MinimumDetectable = MinimumDetectable(n, flips, DefaultPower)
	return p
}

// adjust corrects the p-values of one metric's rows and returns how many tests there were.
func adjust(rows []Row) int {
	var tests []*Paired
	var p []float64
	for _, row := range rows {
		if row.Versus != nil {
			tests = append(tests, row.Versus)
			p = append(p, row.Versus.P)
		}
	}
	for i, adjusted := range Holm(p) {
		tests[i].HolmP = adjusted
	}
	return len(tests)
}
