package eval

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/export"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/corpus/source"
)

// data is where the published sets lie beside a checkout for development; they are not part of the repository.
const data = "../../../shared/data"

func loadPublished(t *testing.T, set string, limit int, o TaskOptions) *Task {
	t.Helper()
	dir := filepath.Join(data, set)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the published files of %s are not beside this checkout: %v", set, err)
	}
	task, err := LoadTask(dir, limit, o)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func mustLoad(t testing.TB, source string, limit int, o TaskOptions) *Task {
	t.Helper()
	task, err := LoadTask(source, limit, o)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func TestPromptsOfThePublicProtocols(t *testing.T) {
	siqa := loadPublished(t, "siqa", 0, TaskOptions{})
	first := siqa.Examples[0]
	if want := "Q: Tracy didn't go home that evening and resisted Riley's attacks. What does Tracy need to do before this?\nA:"; first.Prompt != want {
		t.Errorf("SIQA prompt\n%q\nexpected\n%q", first.Prompt, want)
	}
	if want := []string{" make a new plan", " Go home and see Riley", " Find somewhere to go"}; !slices.Equal(first.Choices, want) || first.Answer != 2 {
		t.Errorf("SIQA choices %q, answer %d", first.Choices, first.Answer)
	}

	piqa := loadPublished(t, "piqa", 0, TaskOptions{})
	second := piqa.Examples[1]
	if second.Prompt != "Question: dresser\nAnswer:" || second.Choices[0] != " replace drawer with bobby pin " || second.Answer != 1 {
		t.Errorf("PIQA example %+v", second)
	}
	if !slices.Equal(piqa.Metrics, []string{Acc, AccNorm}) || piqa.Grouping != "" {
		t.Errorf("PIQA has metrics %v and grouping %q", piqa.Metrics, piqa.Grouping)
	}

	mmlu := loadPublished(t, "mmlu", 0, TaskOptions{})
	const header = "The following are multiple choice questions (with answers) about abstract algebra.\n\n"
	const question = "Find the degree for the given field extension Q(sqrt(2), sqrt(3), sqrt(18)) over Q.\nA. 0\nB. 4\nC. 2\nD. 6\nAnswer:"
	if got := mmlu.Examples[0].Prompt; got != header+question {
		t.Errorf("MMLU prompt\n%q\nexpected\n%q", got, header+question)
	}
	if want := []string{" A", " B", " C", " D"}; !slices.Equal(mmlu.Examples[0].Choices, want) {
		t.Errorf("MMLU choices %q", mmlu.Examples[0].Choices)
	}

	shots := loadPublished(t, "mmlu", 0, TaskOptions{Shots: 2}).Examples[0].Prompt
	const worked = "Find all c in Z_3 such that Z_3[x]/(x^2 + c) is a field.\nA. 0\nB. 1\nC. 2\nD. 3\nAnswer: B\n\n"
	if !strings.HasPrefix(shots, header+worked) || !strings.HasSuffix(shots, "\n\n"+question) || strings.Count(shots, "\nAnswer:") != 3 {
		t.Errorf("MMLU prompt with two worked examples\n%s", shots)
	}
}

func TestMMLUGroupsFollowTheNamedMap(t *testing.T) {
	for _, variant := range []source.STEMMap{source.MMLUSTEM19, source.MMLUSTEM18} {
		task := loadPublished(t, "mmlu", 0, TaskOptions{STEM: variant})
		stem := 0
		for _, e := range task.Examples {
			if e.Group == GroupSTEM {
				stem++
			}
		}
		if stem != variant.Items || task.Grouping != variant.Name {
			t.Errorf("%s: %d STEM examples, grouping %q", variant.Name, stem, task.Grouping)
		}
	}
}

func TestMoreShotsThanExamplesIsAnError(t *testing.T) {
	dir := filepath.Join(data, "mmlu")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the published files of MMLU are not beside this checkout: %v", err)
	}
	if _, err := LoadTask(dir, 0, TaskOptions{Shots: 6}); err == nil || !strings.Contains(err.Error(), "wants 6 worked examples") {
		t.Errorf("error %v", err)
	}
}

func TestGeneratedPromptsAreTheItemsOwn(t *testing.T) {
	task := mustLoad(t, Generated, 0, TaskOptions{})
	c, err := generate.Generate(generate.Options{Train: -1})
	if err != nil {
		t.Fatal(err)
	}
	if len(task.Examples) != generate.DefaultHeldOut || task.Grouping != "generator" {
		t.Fatalf("%d examples, grouping %q", len(task.Examples), task.Grouping)
	}
	for i, item := range c.HeldOut {
		if e := task.Examples[i]; e.Prompt != item.Prompt() || e.ID != item.ID || e.Answer != item.Answer || e.Choices[3] != " D" {
			t.Fatalf("example %+v is not item %+v", e, item)
		}
	}
}

func TestOwnItemsAndExportedCorpus(t *testing.T) {
	dir := t.TempDir()
	c, err := generate.Generate(generate.Options{Train: 10, HeldOut: 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := export.Generated(c.Seed, c.Grades, c.Train, c.HeldOut).Write(dir); err != nil {
		t.Fatal(err)
	}
	task := mustLoad(t, filepath.Join(dir, "train.jsonl"), 0, TaskOptions{})
	if task.Name != "train" || len(task.Examples) != 10 || task.Grouping != "declared" {
		t.Errorf("task %s with %d examples, grouping %q", task.Name, len(task.Examples), task.Grouping)
	}
	if got := mustLoad(t, dir, 0, TaskOptions{}); len(got.Examples) != 20 {
		t.Errorf("an exported corpus gave %d examples, expected its 20 held-out ones", len(got.Examples))
	}
}

func TestScoreNameCarriesTheTemplate(t *testing.T) {
	if TemplateSIQA.Hash() == TemplatePIQA.Hash() {
		t.Error("two templates have one hash")
	}
	changed := TemplateSIQA
	changed.Question += " "
	if changed.Hash() == TemplateSIQA.Hash() {
		t.Error("a space more did not change the hash")
	}
	task := &Task{Name: "siqa", TemplateHash: TemplateSIQA.Hash()}
	if got, want := task.ScoreName(Acc, "all"), "siqa@"+TemplateSIQA.Hash()[:8]+"/acc/all"; got != want {
		t.Errorf("score name %q, expected %q", got, want)
	}
}

func TestLimitIsASeededNestedSubset(t *testing.T) {
	ids := func(limit int, seed uint64) []string {
		var all []string
		for _, e := range mustLoad(t, Generated, limit, TaskOptions{Seed: seed}).Examples {
			all = append(all, e.ID)
		}
		return all
	}
	small, again, large, other := ids(50, 1), ids(50, 1), ids(200, 1), ids(50, 2)
	if len(small) != 50 || !slices.Equal(small, again) {
		t.Errorf("%d examples; the same limit and seed must give the same ones", len(small))
	}
	for _, id := range small {
		if !slices.Contains(large, id) {
			t.Errorf("%s is in the smaller subset and not in the larger", id)
		}
	}
	if slices.Equal(small, other) {
		t.Error("two seeds gave one subset")
	}
	if n := len(ids(5000, 1)); n != generate.DefaultHeldOut {
		t.Errorf("a limit above all kept %d", n)
	}
}

func TestPlaceholdersInsideAnItemStayText(t *testing.T) {
	item := corpus.Item{ID: "1", Question: "What does {options} mean?", Options: []string{"{question}", "b"}}
	prompt, _, err := TemplateItems.Render(item, nil)
	if want := "Question: What does {options} mean?\nOptions:\nA. {question}\nB. b\nResponse:"; err != nil || prompt != want {
		t.Errorf("prompt %q (%v), expected %q", prompt, err, want)
	}
}

func TestGeneratedTaskOfGrades(t *testing.T) {
	task := mustLoad(t, "generated:medium, hard", 0, TaskOptions{Corpus: generate.Options{HeldOut: 48}})
	if task.Name != "generated-medium-hard" || len(task.Examples) != 48 {
		t.Errorf("%s with %d examples", task.Name, len(task.Examples))
	}
	if !FromGenerator("generated") || !FromGenerator("generated:easy") || FromGenerator("generated.jsonl") {
		t.Error("sources are taken for what they are not")
	}
}

func TestLoadTaskRefusesWhatCannotBe(t *testing.T) {
	tests := []struct {
		source string
		limit  int
		o      TaskOptions
		want   string
	}{
		{Generated, -1, TaskOptions{}, "limit -1"},
		{Generated, 0, TaskOptions{Corpus: generate.Options{Domains: []string{"astrology"}}}, "astrology"},
		{Generated, 0, TaskOptions{Corpus: generate.Options{HeldOut: -1}}, "no examples"},
		{"generated:medium,grim", 0, TaskOptions{}, `"grim"`},
		{"no/such/place", 0, TaskOptions{}, "no/such/place"},
	}
	for _, test := range tests {
		if _, err := LoadTask(test.source, test.limit, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, limit %d: error %v, expected one with %q", test.source, test.limit, err, test.want)
		}
	}
}
