package eval

import "fmt"

// GroupAll is the group of a row over all examples.
const GroupAll = "all"

// Groups say what a comparison is broken down by, beside all examples.
type Groups string

// The breakdowns. Groups that are tested belong to the family; others get intervals only.
const (
	GroupsStem       Groups = "stem"       // the task's groups (STEM, non-STEM), tested; the default
	GroupsCategories Groups = "categories" // MMLU's four categories, tested: "category:humanities"
	GroupsSubjects   Groups = "subjects"   // the task's groups, tested, and each domain, not tested: "domain:anatomy"
	GroupsNone       Groups = "none"
)

// MMLU's categories.
const (
	CategorySTEM           = "STEM"
	CategoryHumanities     = "humanities"
	CategorySocialSciences = "social sciences"
	CategoryOther          = "other"
)

// MMLUCategories maps MMLU's 57 subjects to the four categories of its authors, in which "anatomy" is "other": STEM is the 18 subjects
// of the original map, whatever map groups a task.
// Source: categories.py of https://github.com/hendrycks/test.
var MMLUCategories = map[string]string{
	"abstract_algebra":             CategorySTEM,
	"astronomy":                    CategorySTEM,
	"college_biology":              CategorySTEM,
	"college_chemistry":            CategorySTEM,
	"college_computer_science":     CategorySTEM,
	"college_mathematics":          CategorySTEM,
	"college_physics":              CategorySTEM,
	"computer_security":            CategorySTEM,
	"conceptual_physics":           CategorySTEM,
	"electrical_engineering":       CategorySTEM,
	"elementary_mathematics":       CategorySTEM,
	"high_school_biology":          CategorySTEM,
	"high_school_chemistry":        CategorySTEM,
	"high_school_computer_science": CategorySTEM,
	"high_school_mathematics":      CategorySTEM,
	"high_school_physics":          CategorySTEM,
	"high_school_statistics":       CategorySTEM,
	"machine_learning":             CategorySTEM,

	"formal_logic":                 CategoryHumanities,
	"high_school_european_history": CategoryHumanities,
	"high_school_us_history":       CategoryHumanities,
	"high_school_world_history":    CategoryHumanities,
	"international_law":            CategoryHumanities,
	"jurisprudence":                CategoryHumanities,
	"logical_fallacies":            CategoryHumanities,
	"moral_disputes":               CategoryHumanities,
	"moral_scenarios":              CategoryHumanities,
	"philosophy":                   CategoryHumanities,
	"prehistory":                   CategoryHumanities,
	"professional_law":             CategoryHumanities,
	"world_religions":              CategoryHumanities,

	"econometrics":                        CategorySocialSciences,
	"high_school_geography":               CategorySocialSciences,
	"high_school_government_and_politics": CategorySocialSciences,
	"high_school_macroeconomics":          CategorySocialSciences,
	"high_school_microeconomics":          CategorySocialSciences,
	"high_school_psychology":              CategorySocialSciences,
	"human_sexuality":                     CategorySocialSciences,
	"professional_psychology":             CategorySocialSciences,
	"public_relations":                    CategorySocialSciences,
	"security_studies":                    CategorySocialSciences,
	"sociology":                           CategorySocialSciences,
	"us_foreign_policy":                   CategorySocialSciences,

	"anatomy":                 CategoryOther,
	"business_ethics":         CategoryOther,
	"clinical_knowledge":      CategoryOther,
	"college_medicine":        CategoryOther,
	"global_facts":            CategoryOther,
	"human_aging":             CategoryOther,
	"management":              CategoryOther,
	"marketing":               CategoryOther,
	"medical_genetics":        CategoryOther,
	"miscellaneous":           CategoryOther,
	"nutrition":               CategoryOther,
	"professional_accounting": CategoryOther,
	"professional_medicine":   CategoryOther,
	"virology":                CategoryOther,
}

// group is a named subset of the examples.
type group struct {
	name   string
	places []int
	tested bool // belongs to the family
}

// groupsOf lists all examples, then the groups that are asked for, each kind in order of first appearance.
func groupsOf(task *Task, by Groups) ([]group, error) {
	all := []group{{name: GroupAll, tested: true}}
	for i := range task.Examples {
		all[0].places = append(all[0].places, i)
	}
	at := make(map[string]int)
	add := func(name string, place int, tested bool) {
		if _, met := at[name]; !met {
			at[name] = len(all)
			all = append(all, group{name: name, tested: tested})
		}
		all[at[name]].places = append(all[at[name]].places, place)
	}
	switch by {
	case "", GroupsStem, GroupsSubjects:
		for i, e := range task.Examples {
			if e.Group != "" {
				add(e.Group, i, true)
			}
		}
		if by != GroupsSubjects {
			break
		}
		for i, e := range task.Examples {
			add("domain:"+e.Domain, i, false)
		}
	case GroupsCategories:
		for i, e := range task.Examples {
			category, ok := MMLUCategories[e.Domain]
			if !ok {
				return nil, fmt.Errorf("eval: task %s: example %s is of domain %q, which is not a subject of MMLU: categories are MMLU's, use %q or %q", task.Name, e.ID, e.Domain, GroupsSubjects, GroupsNone)
			}
			add("category:"+category, i, true)
		}
	case GroupsNone:
	default:
		return nil, fmt.Errorf("eval: groups %q: expected %q, %q, %q or %q", by, GroupsStem, GroupsCategories, GroupsSubjects, GroupsNone)
	}
	return all, nil
}
