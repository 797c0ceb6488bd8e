package lab

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/report"
)

func ExampleSession_Controlled() {
	for _, a := range session().Controlled("released first-release", "uniform random") {
		fmt.Printf("%s %q\n", a.Name, a.Controls)
	}
	// Output:
	// baseline []
	// released ["uniform of released" "random of released"]
	// first-release []
	// uniform of released []
	// random of released []
}

func TestAnArmThatIsAControlIsNotComputedTwice(t *testing.T) {
	arms := session().Controlled("released uniform", "uniform")
	if len(arms) != 3 || len(arms[1].Controls) != 1 || arms[1].Controls[0] != "uniform" || len(arms[2].Controls) != 0 {
		t.Errorf("%+v", arms)
	}
}

func TestWrittenAnswersAreData(t *testing.T) {
	arms := session().Arms("released").Answering("instructed", 64)
	if got := string(arms[1].Answer); got != `{"budget":64,"instructed":true,"kind":"written"}` || arms[0].Answer == nil {
		t.Error(got)
	}
	if arms := session().Arms("released").Answering("choices", 64); arms[0].Answer != nil {
		t.Errorf("%+v", arms)
	}
}

func TestTagsAreShortAndDiffer(t *testing.T) {
	for refs, want := range map[string]string{
		"../data/piqa ../data/siqa/":      "piqa siqa",
		"generated:medium hf:o/n@main":    "generated-medium hf-o-n-main",
		"a/piqa b/piqa":                   "piqa piqa-2",
		"/x/SmolLM2-135M-Instruct y.gguf": "SmolLM2-135M-Instruct y",
	} {
		if got := strings.Join(tags(strings.Fields(refs)), " "); got != want {
			t.Errorf("%s: %s, expected %s", refs, got, want)
		}
	}
}

// Of several sessions in one note every name says which one it is of; scores of one model carry their set already.
func TestPartsOfSeveralSessionsHaveNamesOfTheirOwn(t *testing.T) {
	part := func() *report.Part {
		return &report.Part{Tables: []report.Table{{Name: "comparison"}}, Figures: []report.Figure{{Name: "accuracy", Table: &report.Table{Name: "accuracy"}}},
			Numbers: []report.Number{{Name: "piqa@1/acc/all/released"}, {Name: "sink_rate"}}, Facts: map[string]any{"items": "x"}, Finding: "better."}
	}
	p := (&Session{tag: "piqa"}).tagged(part())
	if p.Tables[0].Name != "comparison-piqa" || p.Figures[0].Name != "accuracy-piqa" || p.Figures[0].Table.Name != "accuracy-piqa" || p.Numbers[0].Name != "piqa@1/acc/all/released" ||
		p.Numbers[1].Name != "piqa/sink_rate" || p.Facts["items of piqa"] != "x" || len(p.Facts) != 1 {
		t.Errorf("%+v", p)
	}
	p = (&Session{tag: "m-piqa", model: "m"}).tagged(part())
	if p.Numbers[0].Name != "m/piqa@1/acc/all/released" || p.Finding != "m: better." {
		t.Errorf("%+v", p)
	}
	if p := (&Session{}).tagged(part()); p.Tables[0].Name != "comparison" {
		t.Errorf("alone: %+v", p)
	}
}
