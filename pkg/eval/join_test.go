package eval

import (
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/model"
)

// TestJoinMakesOneTree: what the rows begin with stands once, and each target asks for the token that it asked for behind the same tokens.
func TestJoinMakesOneTree(t *testing.T) {
	rows := []row{
		{tokens: []int{1, 2, 3, 4, 5}, targets: []model.Target{{Position: 1, Token: 3}, {Position: 2, Token: 4}, {Position: 3, Token: 5}, {Position: 4, Token: 6}}, choices: []int{0, 0, 0, 0}},
		{tokens: []int{1, 2, 3}, targets: []model.Target{{Position: 1, Token: 3}, {Position: 2, Token: 9}}, choices: []int{1, 1}},
		{tokens: []int{1, 2, 3, 7}, targets: []model.Target{{Position: 1, Token: 3}, {Position: 2, Token: 7}, {Position: 3, Token: 8}}, choices: []int{2, 2, 2}},
	}
	for i := range rows {
		rows[i].extent = model.Extent{Prompt: 2}
	}
	got := join(rows)
	if len(got) != 1 {
		t.Fatalf("%d rows", len(got))
	}
	tree := got[0]
	if !slices.Equal(tree.tokens, []int{1, 2, 3, 4, 5, 7}) || !slices.Equal(tree.branches, []int{2, 0, 1}) || tree.extent.Prompt != 2 {
		t.Errorf("tokens %v, branches %v, extent %v", tree.tokens, tree.branches, tree.extent)
	}
	want := []model.Target{{Position: 1, Token: 3}, {Position: 2, Token: 4}, {Position: 3, Token: 5}, {Position: 4, Token: 6}, {Position: 1, Token: 3}, {Position: 2, Token: 9}, {Position: 1, Token: 3}, {Position: 2, Token: 7}, {Position: 5, Token: 8}}
	if !slices.Equal(tree.targets, want) || !slices.Equal(tree.choices, []int{0, 0, 0, 0, 1, 1, 2, 2, 2}) {
		t.Errorf("targets %v of choices %v, expected %v", tree.targets, tree.choices, want)
	}
}

// TestJoinLeavesRowsApart where they have nothing in common, differ in what of them is the prompt, or would make a tree that costs more than it saves.
func TestJoinLeavesRowsApart(t *testing.T) {
	of := func(first, length int) row { return row{tokens: append([]int{first}, make([]int, length-1)...)} }
	other := of(1, 9)
	other.extent.Prompt = 3
	long := func(last int) row {
		r := of(1, 301)
		for i := 2; i < len(r.tokens); i++ {
			r.tokens[i] = last
		}
		return r
	}
	for what, rows := range map[string][]row{
		"one row":              {of(1, 9)},
		"other first tokens":   {of(1, 9), of(2, 9)},
		"another extent":       {of(1, 9), other},
		"long choices, a tree": {long(3), long(4), long(5)},
	} {
		if got := join(rows); len(got) != len(rows) {
			t.Errorf("%s: %d rows of %d", what, len(got), len(rows))
		}
	}
	if got := join([]row{long(3), long(4)}); len(got) != 1 { // no longer than both
		t.Errorf("two long choices: %d rows", len(got))
	}
}
