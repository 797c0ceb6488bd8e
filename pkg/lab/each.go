package lab

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Sessions write into one note.
type Sessions []*Session

// Show puts results of all sessions into the note, as [Session.Show] does with one's.
func (all Sessions) Show(title string, what ...report.Shower) {
	s := *all[0]
	s.tag = ""
	s.Show(title, what...)
}

// Finish writes the note.
func (all Sessions) Finish() { all[0].Finish() }

// Controlled reads interventions and their controls, see [Session.Controlled].
func (all Sessions) Controlled(names, controls string) Arms {
	return all[0].Controlled(names, controls)
}

// Each opens a session for every model and every set of items of the options, lists separated by spaces. All write into one note; where there are several, titles of sections say
// which one speaks, and so do the names of tables and figures, and with several models those of numbers.
func Each(recipe string, o Options) Sessions {
	models, sets := client.Names(o.Model), client.Names(o.Items)
	if len(models) == 0 || len(sets) == 0 {
		models, sets = append(models, "")[:max(1, len(models))], append(sets, "")[:max(1, len(sets))]
	}
	var out Sessions
	modelTags, setTags := tags(models), tags(sets)
	for i, model := range models {
		for k, items := range sets {
			one := o
			one.Model, one.Items = model, items
			s := open(recipe, one, o)
			if len(sets) > 1 {
				s.tag = setTags[k]
			}
			if len(models) > 1 {
				s.model, s.tag = modelTags[i], strings.TrimSuffix(modelTags[i]+"-"+s.tag, "-")
			}
			out = append(out, s)
		}
	}
	return out
}

var notInATag = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// tags are short names, all different, of references.
func tags(refs []string) []string {
	out := make([]string, len(refs))
	for i, ref := range refs {
		if !client.IsReference(ref) {
			ref = filepath.Base(filepath.Clean(ref))
			if end := filepath.Ext(ref); slices.Contains([]string{".csv", ".tsv", ".jsonl", ".json", ".parquet", ".sections", ".gguf"}, strings.ToLower(end)) {
				ref = strings.TrimSuffix(ref, end)
			}
		}
		out[i] = strings.Trim(notInATag.ReplaceAllString(ref, "-"), "-.")
		if out[i] == "" || slices.Contains(out[:i], out[i]) {
			out[i] = fmt.Sprintf("%s-%d", out[i], i+1)
		}
	}
	return out
}

// tagged gives a part the session's name where several write into one note.
func (s *Session) tagged(p *report.Part) *report.Part {
	if s.tag == "" {
		return p
	}
	for i := range p.Tables {
		p.Tables[i].Name += "-" + s.tag
	}
	for i := range p.Figures {
		p.Figures[i].Name += "-" + s.tag
		if t := p.Figures[i].Table; t != nil && t.Name != "" {
			t.Name += "-" + s.tag
		}
	}
	for i := range p.Attention {
		p.Attention[i].Name += "-" + s.tag
	}
	for i := range p.Numbers {
		if n := &p.Numbers[i]; s.model != "" {
			n.Name = s.model + "/" + n.Name
		} else if !strings.Contains(n.Name, "@") { // scores are named by their set
			n.Name = s.tag + "/" + n.Name
		}
	}
	if s.model != "" {
		if p.Finding != "" {
			p.Finding = s.model + ": " + p.Finding
		}
	}
	facts := maps.Clone(p.Facts)
	for name, value := range facts {
		delete(p.Facts, name)
		p.Facts[name+" of "+s.tag] = value
	}
	return p
}

// Controlled reads interventions as [Session.Arms] does and puts controls of equal size (uniform, random, local) behind them, named "uniform of released", against which each is
// judged as well. An intervention whose mask is made of no pattern has none: it is its own control.
func (s *Session) Controlled(names, controls string) Arms {
	arms := s.Arms(names)
	kinds := client.Fields(controls)
	for _, kind := range kinds {
		if list := []string{"uniform", "random", "local"}; !slices.Contains(list, kind) {
			fail(client.Parameter("controls", controls, "%q is not one of uniform, random, local%s", kind, client.Suggest(kind, list)))
		}
	}
	for i := 1; i < len(arms); i++ {
		if strings.Contains(arms[i].Name, " of ") {
			break // the first control
		}
		for _, kind := range kinds {
			plan := s.control(arms[i].Plan, kind)
			if plan == nil {
				continue
			}
			name := kind + " of " + arms[i].Name
			if at := slices.IndexFunc(arms, func(a Arm) bool { return a.Plan.Hash() == plan.Hash() }); at >= 0 {
				if at != i {
					arms[i].Controls = append(arms[i].Controls, arms[at].Name)
				}
				continue
			}
			arms[i].Controls = append(arms[i].Controls, name)
			arms = append(arms, Arm{Name: name, Plan: plan})
		}
	}
	return arms
}

// control is a plan with every pattern in it replaced by one that means nothing; nil where there is none.
func (s *Session) control(plan emulate.Plan, kind string) emulate.Plan {
	var out emulate.Plan
	found := false
	for _, spec := range plan {
		if p, err := (emulate.Grid{Base: spec}).Control(kind, uint32(s.options.Seed)); err == nil {
			spec, found = p.Spec, true
		}
		out = append(out, spec)
	}
	if !found {
		return nil
	}
	return out
}

// Answering says how all arms answer: "choices" by the log-likelihood of the options, "written" by what the model writes, at most so many tokens, out of which the answer is read,
// "instructed" the same with the instruction of arXiv 2403.14932 before the prompt.
func (a Arms) Answering(how string, tokens int) Arms {
	switch how {
	case "choices", "":
		return a
	case "written", "instructed":
	default:
		list := []string{"choices", "written", "instructed"}
		fail(client.Parameter("answer", how, "expected %s%s", strings.Join(list, ", "), client.Suggest(how, list)))
	}
	if tokens < 0 {
		fail(client.Parameter("tokens", fmt.Sprint(tokens), "expected 0 for 2,048, or how many tokens are written at most"))
	}
	out := slices.Clone(a)
	for i := range out {
		out[i].Answer = check(json.Marshal(map[string]any{"kind": client.Written, "budget": tokens, "instructed": how == "instructed"}))
	}
	return out
}

// Verdict is one table of all sessions: every arm over all items of each set, against the untouched model and against its controls, and the finding in a sentence. It adds no test:
// differences, p and words are those of each session's own table, whose family is that table's.
func (all Sessions) Verdict(arms Arms) *report.Part {
	t := report.Table{Name: "verdict", Title: "Every arm over all items of each set", Columns: []string{"set", "arm", "against", "n", "accuracy", "difference", "95 % interval", "gained / lost", "p (Holm)", "detectable", "word"}}
	var sentences []string
	for _, s := range all {
		sentence := ""
		add := func(arm string, accuracy any, against string, r report.Compared) {
			t.Rows = append(t.Rows, []any{s.set(), arm, against, r.N, r.Accuracy, r.Difference, fmt.Sprintf("%+.3f to %+.3f", r.CI95.Low, r.CI95.High), fmt.Sprintf("%d / %d", r.Gained, r.Lost), r.Adjusted,
				orNothing(r.Detectable), r.Word})
		}
		for _, r := range s.Compare(arms...).Rows() {
			switch {
			case r.Group != "all":
				continue
			case r.Word == "":
				t.Rows = append(t.Rows, []any{s.set(), r.Arm, nil, r.N, r.Accuracy, nil, nil, nil, nil, nil, nil})
				sentence = fmt.Sprintf("%s (%d items, %s right on %.1f %%)", s.set(), r.N, r.Arm, 100*r.Accuracy)
				continue
			}
			add(r.Arm, r.Accuracy, arms[0].Name, r)
			if !isControl(arms, r.Arm) {
				ci := r.CI95
				if r.Word == report.NotShown { // the interval that agrees with the word: one at 95 % may exclude 0
					ci = r.CIFamily
				}
				sentence += fmt.Sprintf("; %s: %s (%+.1f points, %+.1f to %+.1f)", r.Arm, r.Word, 100*r.Difference, 100*ci.Low, 100*ci.High)
			}
			for _, v := range r.Controls {
				add(r.Arm, nil, v.Arm, v)
				kind, _, _ := strings.Cut(v.Arm, " of ")
				sentence += fmt.Sprintf(", against %s %s (%+.1f)", kind, v.Word, 100*v.Difference)
			}
		}
		sentences = append(sentences, sentence)
	}
	return &report.Part{
		Method: "One row for each arm and set, all items; differences are paired. Words follow the p value after Holm's correction over the family of each set's own table: arms x groups, against the untouched model and against controls. The sentence gives the interval at the family's level where nothing is shown, and the one at 95 % elsewhere.",
		Tables: []report.Table{t}, Finding: strings.Join(sentences, ". ") + ".", Answers: true,
	}
}

// set is what the session's items are called in a table of several.
func (s *Session) set() string {
	if s.tag != "" {
		return s.tag
	}
	return tags([]string{s.options.Items})[0]
}

func isControl(arms Arms, name string) bool {
	return slices.ContainsFunc(arms, func(a Arm) bool { return slices.Contains(a.Controls, name) })
}

// orNothing is nil for 0.
func orNothing(x float64) any {
	if x == 0 {
		return nil
	}
	return x
}
