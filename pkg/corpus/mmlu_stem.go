package corpus

import "slices"

// STEMMap says which MMLU subjects count as STEM. Two are in use, and their scores are not comparable.
type STEMMap struct {
	Name     string
	Subjects []string // sorted
	Items    int      // in the test split
}

// Has reports whether a subject is in the map.
func (m STEMMap) Has(subject string) bool { return slices.Contains(m.Subjects, subject) }

// MMLUSTEM19 is the widely used map: 19 subjects, 3,153 test items. It has `anatomy`.
// Source: the group mmlu_stem of EleutherAI's lm-evaluation-harness.
var MMLUSTEM19 = STEMMap{Name: "stem-19", Subjects: withAnatomy(MMLUSTEM18.Subjects), Items: 3153}

// MMLUSTEM18 is the original map: 18 subjects, 3,018 test items. It counts `anatomy` as health.
// Source: categories.py of https://github.com/hendrycks/test.
var MMLUSTEM18 = STEMMap{Name: "stem-18", Items: 3018, Subjects: []string{
	"abstract_algebra",
	"astronomy",
	"college_biology",
	"college_chemistry",
	"college_computer_science",
	"college_mathematics",
	"college_physics",
	"computer_security",
	"conceptual_physics",
	"electrical_engineering",
	"elementary_mathematics",
	"high_school_biology",
	"high_school_chemistry",
	"high_school_computer_science",
	"high_school_mathematics",
	"high_school_physics",
	"high_school_statistics",
	"machine_learning",
}}

// DefaultMMLUSTEM is the map that [ReadMMLU] sets Item.STEM by.
var DefaultMMLUSTEM = MMLUSTEM19

func withAnatomy(subjects []string) []string {
	all := append([]string{"anatomy"}, subjects...)
	slices.Sort(all)
	return all
}
