package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/stats"
)

// Comparison is what [Compare] found.
type Comparison struct {
	Task         string        `json:"task"`
	TemplateHash string        `json:"template_hash"`
	Grouping     string        `json:"grouping,omitempty"`
	N            int           `json:"n"`
	Available    int           `json:"available"` // examples before a limit
	Margin       float64       `json:"margin"`    // of equivalence
	Family       int           `json:"family"`    // comparisons of one metric that are judged together
	Rows         []Row         `json:"rows"`      // by metric, then group, then arm
	Interactions []Interaction `json:"interactions,omitempty"`
	Refused      []Refusal     `json:"refused,omitempty"` // examples that an arm could not answer, left out in all arms
	Examples     []Example     `json:"-"`                 // that were compared, in the task's order
	Outcomes     [][]Outcome   `json:"-"`                 // [arm][example]
}

// Refusal is an example that was left out.
type Refusal struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

// Row is the accuracy of one arm on one group of examples by one metric.
type Row struct {
	Name         string         `json:"name"` // see [Task.ScoreName]
	Metric       string         `json:"metric"`
	Group        string         `json:"group"` // see [Groups]
	Arm          string         `json:"arm"`
	SpecHash     string         `json:"spec_hash"`
	N            int            `json:"n"`
	Correct      int            `json:"correct"`            // undecided examples not counted
	Tied         int            `json:"tied"`               // examples whose largest score several choices share, see [Judge]
	Undecided    int            `json:"undecided"`          // of those, examples all of whose choices tie
	Unparsed     int            `json:"unparsed"`           // examples whose written answer could not be read: wrong
	Accuracy     float64        `json:"accuracy"`           // mean worth of the verdicts
	FirstMaximum float64        `json:"first_maximum"`      // accuracy where the first among equals is taken, as the common harness does
	CI95         stats.Interval `json:"ci95"`               // Wilson
	Chance       float64        `json:"chance"`             // accuracy of guessing
	ChanceP      float64        `json:"chance_p"`           // one-sided, see [stats.AboveChance]
	Versus       *Paired        `json:"versus,omitempty"`   // against the first arm; nil for itself
	Controls     []Paired       `json:"controls,omitempty"` // against each of the arm's controls, in their order
}

// Paired compares an arm with another one on the same examples. Examples that either of them leaves undecided are left out, so N can be
// below the row's. Of a group outside the family only counts, difference and interval mean something.
type Paired struct {
	Baseline string `json:"baseline"` // the other arm
	stats.Paired
	Word string `json:"word"` // see [stats.Paired.Word]; empty outside the family
}

// Interaction is how much more an arm changes on examples outside STEM than on STEM ones.
type Interaction struct {
	Metric   string `json:"metric"`
	Arm      string `json:"arm"`
	Baseline string `json:"baseline"`
	Group    string `json:"group"`   // the first group: GroupNonSTEM
	Against  string `json:"against"` // the second: GroupSTEM
	stats.Contrast
}

// AtChance reports whether the accuracy cannot be told from guessing at the 5 % level.
func (r Row) AtChance() bool { return r.ChanceP > stats.Alpha }

// String is the row as a sentence fragment, saying so when the accuracy is no better than chance.
func (r Row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %.4f [%.4f, %.4f], n=%d", r.Name, r.Accuracy, r.CI95.Low, r.CI95.High, r.N)
	if r.Tied > 0 {
		fmt.Fprintf(&b, ", %d tied (%d undecided)", r.Tied, r.Undecided)
	}
	if r.AtChance() {
		fmt.Fprintf(&b, ", not distinguishable from chance (%.3f, p=%.2g)", r.Chance, r.ChanceP)
	}
	if v := r.Versus; v != nil {
		fmt.Fprintf(&b, "; against %s %+.4f [%+.4f, %+.4f], +%d -%d, p=%.3g, Holm %.3g", v.Baseline, v.Difference, v.CI95.Low, v.CI95.High, v.Gained, v.Lost, v.P, v.Adjusted)
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

// summarise makes the rows of all metrics. The comparisons of one metric, arms x tested groups, against the first arm and against controls,
// are one family.
func summarise(task *Task, arms []Arm, answers [][]Outcome, o Options) (*Comparison, error) {
	groups, err := groupsOf(task, o.Groups)
	if err != nil {
		return nil, err
	}
	c := &Comparison{
		Task: task.Name, TemplateHash: task.TemplateHash, Grouping: task.Grouping, N: len(task.Examples), Available: task.Available,
		Margin: o.Margin, Examples: task.Examples, Outcomes: answers,
	}
	if c.Margin <= 0 {
		c.Margin = stats.Margin
	}
	hashes := make([]string, len(arms))
	for a, arm := range arms {
		sum := sha256.Sum256(arm.JSON())
		hashes[a] = hex.EncodeToString(sum[:])
	}
	for _, metric := range task.Metrics {
		judged := make([][]Verdict, len(arms))
		for a := range arms {
			judged[a] = make([]Verdict, len(task.Examples))
			for i, e := range task.Examples {
				judged[a][i] = answers[a][i].Judge(metric, e)
			}
		}
		from := len(c.Rows)
		for _, g := range groups {
			for a, arm := range arms {
				row := accuracy(task, metric, g, answers[a], judged[a])
				row.Name, row.Metric, row.Group = task.ScoreName(metric, g.name, arm.Name), metric, g.name
				row.Arm, row.SpecHash = arm.Name, hashes[a]
				c.Rows = append(c.Rows, row)
			}
		}
		c.compare(task, arms, groups, judged, from, o.Controls)
		c.interact(task, arms, groups, judged, metric, o.Seed)
	}
	return c, nil
}

// accuracy sums verdicts up.
func accuracy(task *Task, metric string, g group, answers []Outcome, judged []Verdict) Row {
	row := Row{N: len(g.places)}
	examples := make([]Example, 0, len(g.places))
	worth, first := 0.0, 0
	for _, place := range g.places {
		e, v := task.Examples[place], judged[place]
		examples = append(examples, e)
		worth += v.Worth
		if v.Right {
			row.Correct++
		}
		if v.Tied {
			row.Tied++
		}
		if v.Undecided {
			row.Undecided++
		}
		if o := answers[place]; o.Scores == nil && !o.Parsed {
			row.Unparsed++
		}
		switch o := answers[place]; {
		case o.Parsed && v.Right, !o.Parsed && o.Scores != nil && Predict(metric, e.Choices, o.Scores) == e.Answer:
			first++
		}
	}
	row.Accuracy, row.FirstMaximum = worth/float64(row.N), float64(first)/float64(row.N)
	right := int(math.Round(worth)) // of undecided examples, the expected number
	row.CI95 = stats.Wilson(right, row.N)
	row.Chance = chanceLevel(examples)
	row.ChanceP = stats.AboveChance(right, row.N, row.Chance)
	return row
}

// pair counts two arms' outcomes on a group, by cluster; examples that either leaves undecided are left out.
func pair(task *Task, g group, arm, other []Verdict) stats.Clusters {
	var after, before []bool
	var clusters []string
	shared := false
	for _, place := range g.places {
		if arm[place].Undecided || other[place].Undecided {
			continue
		}
		after, before = append(after, arm[place].Right), append(before, other[place].Right)
		clusters = append(clusters, task.Examples[place].Cluster)
		shared = shared || task.Examples[place].Cluster != ""
	}
	if !shared {
		clusters = nil
	}
	return stats.Cluster(after, before, clusters)
}

// compare fills in Versus and Controls of one metric's rows, which are by group and arm.
func (c *Comparison) compare(task *Task, arms []Arm, groups []group, judged [][]Verdict, from int, controls map[string][]string) {
	var tests []stats.Clusters
	var places []*Paired
	var names []string
	at := from
	for _, g := range groups {
		for a, arm := range arms {
			row := &c.Rows[at]
			at++
			add := func(to *Paired, other int) {
				test := pair(task, g, judged[a], judged[other])
				if !g.tested {
					*to = Paired{Baseline: arms[other].Name, Paired: stats.Outside(test)}
					return
				}
				tests, places, names = append(tests, test), append(places, to), append(names, arms[other].Name)
			}
			if a > 0 {
				row.Versus = new(Paired)
				add(row.Versus, 0)
			}
			row.Controls = make([]Paired, len(controls[arm.Name]))
			for i, name := range controls[arm.Name] {
				add(&row.Controls[i], slices.IndexFunc(arms, func(o Arm) bool { return o.Name == name }))
			}
		}
	}
	for i, p := range stats.ClusteredFamily(tests) {
		*places[i] = Paired{Baseline: names[i], Paired: p, Word: p.Word(c.Margin)}
	}
	c.Family = len(tests)
}

// interact adds the interaction of every arm with the groups STEM and non-STEM, where both are tested; all arms are one family.
func (c *Comparison) interact(task *Task, arms []Arm, groups []group, judged [][]Verdict, metric string, seed uint64) {
	find := func(name string) int {
		return slices.IndexFunc(groups, func(g group) bool { return g.tested && g.name == name })
	}
	a, b := find(GroupNonSTEM), find(GroupSTEM)
	if a < 0 || b < 0 || len(arms) < 2 {
		return
	}
	var tests []stats.Groups
	for arm := 1; arm < len(arms); arm++ {
		tests = append(tests, stats.Groups{A: pair(task, groups[a], judged[arm], judged[0]), B: pair(task, groups[b], judged[arm], judged[0])})
	}
	for i, contrast := range stats.InteractionFamily(tests, seed) {
		c.Interactions = append(c.Interactions, Interaction{
			Metric: metric, Arm: arms[i+1].Name, Baseline: arms[0].Name, Group: GroupNonSTEM, Against: GroupSTEM, Contrast: contrast,
		})
	}
}
