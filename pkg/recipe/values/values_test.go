package values_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/recipe/values"
	"github.com/attune-lab/attune/pkg/worker/client"
)

const root = "../../.."

// wrongTexts are three wrong values of each parameter that is a text, by name, or by recipe and name.
var wrongTexts = map[string][]string{
	"model":  {"nowhere/model", "recipes", "hf:smollm2"},
	"base":   {"relased", "{\"alpha\": \"much\"}", "released+literal"},
	"items":  {"nowhere.csv", "generated:medum", "README.md"},
	"place":  {"layer", "cut", "cards"},
	"dtype":  {"float16", "bf16", ""},
	"alphas": {"0,5 x", "strong", "1e99"}, "taus": {"0.1 two", "-0.1", "2"}, "sources": {"first", "-1", "1.5"},
	"renormalise": {"rows", "row,columns", "all"}, "controls": {"unifrom", "none", "random locally"},
	"dimensions": {"llama", "large", ""}, "memory": {"1GB", "large", "smal"}, "checkpoint": {"nowhere", "hf:", "README.md"},
	"columns": {"answer", "anwser=label", "form=2"}, "against": {"nowhere", "generated:hardest", "README.md"},
	"shares": {"train", "train=0", "a/b=1"}, "format": {"csv", "JSONL", ""}, "name": {"a/b", "..", "-x"}, "about": {"\x1b[31m", "\xff", strings.Repeat("a", 1<<20+1)},
	"licence": {"CC BY?", "free!", "MIT AND"}, "spec": {"relased", "{\"alpha\":", "released nowhere.json"}, "prompt": {"\x00", "\xff\xfe", "\x1b]0;title\x07"},
	"grades": {"medum", "", "easy harder"}, "finetune.sections": {"Answer", "Analysis Respose", "response"}, "pretrain.sections": {"Response", "Response four", "Answer 4"},
	"method": {"LoRA", "qlora", ""}, "targets": {"q-proj", "", "q_proj,k_proj"}, "out": {"README.md", " ", "\x00"},
	"compute": {"float16", "tf32", ""}, "reference": {"nowhere.safetensors", "README.md", "testdata"},
	"budgets": {"many", "0", "-32"}, "fillers": {"dots", "0", "1.5"}, "repeats": {"twice", "0", "-1"}, "interventions": {"", "of", "released literl"},
	"prompts": {"nowhere.txt", "generated:none", "go.mod"}, "eps": {"0.3 x", "-0.1", "30%"}, "lengths": {"long", "0", "16;32"}, "layers": {"middle", "-1", "first,lst"},
	"finetune.base": {"nowhere", "recipes", "hf:a"}, "adapter": {"nowhere", "recipes", "README.md"}, "groups": {"subject", "none ", "stem-20"},
	"evaluate.items": {"generated nowhere.csv", "generated:medum", "generated README.md"}, "evaluate.model": {"testdata/attune-tiny nowhere", "recipes", "hf:smollm2"},
	"evaluate.controls": {"unifrom", "suppress", "random locally"}, "arms": {"relased", "released literl", "{\"alpha\":"}, "answer": {"letter", "", "writen"},
	"a": {"nowhere.jsonl", "", "nowhere.jsonl#released"}, "b": {"nowhere.jsonl", "", "nowhere#x"}, "log": {"nowhere.json", "", "x#y"}, "rescore.against": {"nowhere.json", " ", "x#y"},
	"methods": {"acts", "", "act pasa"}, "by": {"accuracy", "", "score entrpy"}, "calibrate.layers": {"middle", "-1", "1.5"}, "highlight": {"answer", "", "Question"},
	"perplexity.controls": {"unifrom", "suppress", "random locally"}, "texts": {"nowhere.txt", "generated:none", "go.mod"},
	"form": {"letters", "yesno", "Number"}, "metric": {"?", "acc\x00", "-"}, "filter": {"?", "\xff", ","}, "compare.columns": {"answer", "anwser=label", "id="}, "rescore.columns": {"answer", "anwser=label", "id="},
}

// wrong are three values that are wrong for a parameter.
func wrong(t *testing.T, r recipe.Recipe, p notebook.Parameter) []string {
	switch p.Kind {
	case notebook.Bool:
		return []string{"yes", "1", ""}
	case notebook.Int:
		return []string{"many", "1.5", "-1"}
	case notebook.Float:
		return []string{"much", "NaN", "-1"}
	}
	if list := wrongTexts[r.Name+"."+p.Name]; list != nil {
		return list
	}
	list := wrongTexts[p.Name]
	if list == nil {
		t.Errorf("parameter %s of recipe %s has no wrong values here: give three in wrongTexts, and its rule in rules.go", p.Name, r.Name)
	}
	return list
}

func recipes(t *testing.T) []recipe.Recipe {
	t.Helper()
	list, err := recipe.List(filepath.Join(root, "recipes"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func options(r recipe.Recipe, overrides notebook.Overrides) recipe.Options {
	return recipe.Options{Path: r.Path, Overrides: overrides, Check: func(name string, v map[string]any) error { return values.Check(name, v, []string{root}) }}
}

// TestEveryParameterRefusesWrongValues: three for each parameter of each recipe, each refused at once by the parameter's name and with what is expected.
func TestEveryParameterRefusesWrongValues(t *testing.T) {
	started, refused := time.Now(), 0
	for _, r := range recipes(t) {
		for _, p := range r.Parameters {
			for _, text := range wrong(t, r, p) {
				_, err := recipe.Values(options(r, notebook.Overrides{p.Name: text}))
				if err == nil {
					t.Errorf("%s takes -p %s=%q", r.Name, p.Name, text)
					continue
				}
				refused++
				message := err.Error()
				if !strings.Contains(message, "parameter "+p.Name) || strings.Count(message, "parameter "+p.Name) != 1 {
					t.Errorf("%s, -p %s=%q: the error does not name the parameter once: %s", r.Name, p.Name, text, message)
				}
				if !strings.Contains(message, "expected") && !strings.Contains(message, "one of") && !strings.Contains(message, "did you mean") && !strings.Contains(message, "choose among") &&
					!strings.Contains(message, "template has") && !strings.Contains(message, "sections are") && !strings.Contains(message, "grid varies one") {
					t.Errorf("%s, -p %s=%q: the error does not say what is allowed: %s", r.Name, p.Name, text, message)
				}
			}
		}
	}
	if each := time.Since(started) / time.Duration(max(1, refused)); each > 100*time.Millisecond {
		t.Errorf("a refusal takes %v, expected milliseconds", each)
	}
	t.Logf("%d wrong values refused in %v", refused, time.Since(started).Round(time.Millisecond))
}

// TestDefaultsOfRecipesAreAllowed: and every parameter has a rule.
func TestDefaultsOfRecipesAreAllowed(t *testing.T) {
	for _, r := range recipes(t) {
		if _, err := recipe.Values(options(r, nil)); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		for _, p := range r.Parameters {
			if !values.Known(r.Name, p.Name, p.Default) {
				t.Errorf("parameter %s of recipe %s has no rule: give it one in rules.go", p.Name, r.Name)
			}
		}
	}
}

func TestValuesThatAreUsedAreAllowed(t *testing.T) {
	for name, list := range map[string][]any{
		"model":   {"testdata/attune-tiny", "hf:HuggingFaceTB/SmolLM2-135M", "hf:a/b@main"},
		"items":   {"generated", "generated:easy,hard", "testdata/items/items.csv", "testdata/items/items.sections", "hf-data:allenai/ai2_arc/ARC-Easy@main", "testdata/items"},
		"columns": {"", "question=prompt,options=first second third,answer=label,form=0"},
		"spec":    {"released", "released+local", `{"alpha": 0.2, "tau": 0.01}`, "off"},
		"licence": {"CC-BY-4.0", "MIT OR Apache-2.0"}, "layers": {"first,last", "0 3"}, "controls": {"", "uniform random"},
		"hidden": {int64(64)}, "eps": {"0.1,0.3", 0.3},
	} {
		for _, v := range list {
			if err := values.Check("own", map[string]any{name: v}, []string{root}); err != nil {
				t.Errorf("%s=%v: %v", name, v, err)
			}
		}
	}
}

func TestTheErrorIsTheWorkers(t *testing.T) {
	err := values.Check("pretrain", map[string]any{"hidden": int64(66), "heads": int64(4)}, nil)
	var e *client.Error
	if !errors.As(err, &e) || e.Parameter != "hidden" || e.Value != "66" {
		t.Errorf("found %#v, expected the client's error about hidden=66", err)
	}
}
