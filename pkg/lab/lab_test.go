package lab

import (
	"fmt"
	"github.com/attune-lab/attune/pkg/worker/client"
	"os/exec"
	"strings"
	"testing"
)

// TestCellsLinkNoGoMLX holds what makes a cell quick: what computes is the worker's.
func TestCellsLinkNoGoMLX(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if strings.Contains(path, "gomlx") || strings.Contains(path, "gonum.org/v1/plot") {
			t.Errorf("the package links %s", path)
		}
	}
}

func TestNamesAreCutOutsideBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"released literal":                     "released|literal",
		`released {"alpha": 1, "tau": 0.01} a`: `released|{"alpha": 1, "tau": 0.01}|a`,
		"  a+b\n c ":                           "a+b|c",
		"":                                     "",
		`[{"alpha": 1}, {"alpha": 2}]`:         `[{"alpha": 1}, {"alpha": 2}]`,
	} {
		if got := strings.Join(client.Names(text), "|"); got != want {
			t.Errorf("%q is cut into %q, expected %q", text, got, want)
		}
	}
}

func session() *Session { return &Session{options: Options{Seed: 1}} }

func ExampleSession_Arms() {
	for _, a := range session().Arms("released act+suppress") {
		fmt.Println(a.Name, len(a.Plan))
	}
	// Output:
	// baseline 0
	// released 1
	// act+suppress 2
}

func ExampleSession_Grid() {
	for _, a := range session().Grid(Grid{Base: "released", Alphas: "0.5 1", Renormalise: "row", Controls: "uniform random suppress"}) {
		fmt.Printf("%s; controls: %q\n", a.Name, a.Controls)
	}
	// Output:
	// untouched; controls: []
	// base; controls: ["uniform" "random"]
	// alpha 0.5; controls: []
	// alpha 1; controls: []
	// renormalise row; controls: []
	// uniform; controls: []
	// random; controls: []
	// suppress; controls: []
}

func ExampleSession_Reasoning() {
	for _, a := range session().Reasoning(Reasoning{Budgets: "96", Fillers: "8", Repeats: "1", Matched: true, Waits: 1, Interventions: "off released"}) {
		fmt.Println(a.Name, a.Controls)
	}
	// Output:
	// direct []
	// filler 8 []
	// repeat 1 [filler like repeat 1]
	// filler like repeat 1 []
	// cot 96 [filler like cot 96]
	// filler like cot 96 []
	// budget 96, waits 1 [filler like budget 96, waits 1]
	// filler like budget 96, waits 1 []
	// direct, released []
	// filler 8, released []
	// repeat 1, released [filler like repeat 1, released]
	// filler like repeat 1, released []
	// cot 96, released [filler like cot 96, released]
	// filler like cot 96, released []
	// budget 96, waits 1, released [filler like budget 96, waits 1, released]
	// filler like budget 96, waits 1, released []
}

// A head's map is one line in a cell:
//
//	s.Show("One head", s.Attention(text).Head(1, 7))
func ExampleMaps_Head() {
	var s *Session // = Open("tour", Options{Model: "testdata/attune-tiny"})
	show := func(text string) { s.Show("One head", s.Attention(text).Head(1, 7)) }
	fmt.Println(show != nil)
	// Output: true
}
