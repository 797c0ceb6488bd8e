package apply_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// TestClassesResolveToTokens uses the embedded model's vocabulary.
func TestClassesResolveToTokens(t *testing.T) {
	tok, err := tokenizer.Load(filepath.Join("..", "..", "..", "testdata", "attune-tiny"))
	if err != nil {
		t.Fatal(err)
	}
	s := emulate.Spec{Alpha: 1, Tau: 0.01, ExcludeTokens: []int{700}, ExcludeClasses: []string{tokenizer.Special.String(), tokenizer.Punctuation.String()}}
	r, err := apply.ResolveSpec(s, tok)
	if err != nil {
		t.Fatal(err)
	}
	bos, _ := tok.BOS()
	comma := tok.EncodePlain(",")
	if len(comma) != 1 || !slices.Contains(r.ExcludeTokens, comma[0]) || !slices.Contains(r.ExcludeTokens, bos) || !slices.Contains(r.ExcludeTokens, 700) {
		t.Errorf("the excluded tokens are %v, expected them to hold BOS %d, the comma %v and 700", r.ExcludeTokens, bos, comma)
	}
	if len(r.ExcludeTokens) > tok.VocabSize()/4 || !slices.IsSorted(r.ExcludeTokens) || r.ExcludeClasses != nil {
		t.Errorf("%d tokens are excluded, classes are %v", len(r.ExcludeTokens), r.ExcludeClasses)
	}
	if again, err := apply.ResolveSpec(r, nil); err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("a resolved Spec changes: %v", err)
	}
	if _, err := apply.ResolveSpec(s, nil); err == nil {
		t.Error("classes are resolved without a tokenizer")
	}
	s.ExcludeClasses = []string{"verbs"}
	if _, err := apply.ResolveSpec(s, tok); err == nil || !strings.Contains(err.Error(), "function word") {
		t.Errorf("an unknown class: %v", err)
	}
	plan, err := apply.Resolve(emulate.Plan{r, {Alpha: 1, Schedule: emulate.ScheduleConstant, Mask: emulate.MaskKeys, Classes: []string{"digit"}}}, tok)
	if err != nil || len(plan[1].Tokens) < 10 {
		t.Errorf("the digits are %v, %v", plan, err)
	}
}
