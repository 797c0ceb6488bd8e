package notebook

import (
	"reflect"
	"strings"
	"testing"
)

const parametersSource = `%goflags -ldflags="-s -w"
// where to look
const (
	model = "testdata/attune-tiny" // HF directory of the model
	limit = 200                    // items to score (0 = all)
	// the share of items
	share       = 0.5
	quick, slow = true, false
	size int32  = 1 << 10
	steps       = 2 * limit
)

// for the random numbers
const seed uint8 = 1`

func parameterised(source string) *Notebook {
	nb := code("before", source, "after")
	nb.Cells[1].Metadata = map[string]any{"tags": []any{"other", ParametersTag}}
	return nb
}

func TestParametersAreTheConstantsOfTheTaggedCell(t *testing.T) {
	got, err := parameterised(parametersSource).Parameters()
	if err != nil {
		t.Fatal(err)
	}
	want := []Parameter{
		{Name: "model", Kind: String, Default: "testdata/attune-tiny", Help: "HF directory of the model"},
		{Name: "limit", Kind: Int, Default: int64(200), Help: "items to score (0 = all)"},
		{Name: "share", Kind: Float, Default: 0.5, Help: "the share of items"},
		{Name: "quick", Kind: Bool, Default: true},
		{Name: "slow", Kind: Bool, Default: false},
		{Name: "size", Kind: Int, Type: "int32", Default: int64(1024)},
		{Name: "steps", Kind: Int, Default: int64(400)},
		{Name: "seed", Kind: Int, Type: "uint8", Default: int64(1), Help: "for the random numbers", block: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found\n%+v\nexpected\n%+v", got, want)
	}
	if none, err := code("x").Parameters(); none != nil || err != nil {
		t.Errorf("a notebook without the tag has %v, %v", none, err)
	}
}

func TestBadParametersCellIsAnError(t *testing.T) {
	for source, want := range map[string]string{
		"const x = ":             "not valid Go: line:1",
		"const x = 1\nvar y = 2": "line 2: found a declaration that is not a constant",
		"const x = len(y)":       "undefined: y",
		"const x = 2i":           "line 1: constant x has the type untyped complex",
		"const x = 1 << 70":      "does not fit into 64 bits",
	} {
		_, err := parameterised(source).Parameters()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cell 2") {
			t.Errorf("%q: found the error %v, expected %q", source, err, want)
		}
	}
	twice := parameterised("const x = 1")
	twice.Cells[0].Metadata = twice.Cells[1].Metadata
	if _, err := twice.Parameters(); err == nil || !strings.Contains(err.Error(), "cells 1 and 2 are both tagged") {
		t.Errorf("two tagged cells give %v", err)
	}
}

func TestInjectRedeclaresTheBlocksOfOverriddenConstants(t *testing.T) {
	nb := parameterised(parametersSource)
	values, err := nb.Inject(Overrides{"limit": "20", "share": "1", "model": `C:\a "b"`, "quick": "true"})
	if err != nil {
		t.Fatal(err)
	}
	want := "const (\n" +
		"\tmodel = \"C:\\\\a \\\"b\\\"\" // given; default \"testdata/attune-tiny\"\n" +
		"\tlimit = 20 // given; default 200\n" +
		"\tshare = 1.0 // given; default 0.5\n" +
		"\tquick = true\n\tslow = false\n\tsize int32 = 1024\n\tsteps = 400\n)"
	if len(nb.Cells) != 4 || nb.Cells[2].Source != want || !nb.Cells[2].HasTag(InjectedTag) {
		t.Errorf("injected\n%s\nexpected\n%s", nb.Cells[2].Source, want)
	}
	if values["limit"] != int64(20) || values["share"] != 1.0 || values["seed"] != int64(1) || len(values) != 8 {
		t.Errorf("the values are %v", values)
	}
	if _, err := nb.Inject(Overrides{"seed": "0x10"}); err != nil {
		t.Fatal(err)
	}
	if len(nb.Cells) != 4 || nb.Cells[2].Source != "const (\n\tseed uint8 = 16 // given; default 1\n)" {
		t.Errorf("the second injection left\n%s", nb.Cells[2].Source)
	}
	if _, err := nb.Inject(nil); err != nil || len(nb.Cells) != 3 {
		t.Errorf("%d cells after injecting nothing, %v", len(nb.Cells), err)
	}
}

func TestInjectRefusesWhatDoesNotFit(t *testing.T) {
	for _, test := range []struct {
		overrides Overrides
		want      string
	}{
		{Overrides{"limits": "1"}, `unknown parameter "limits", did you mean "limit"? The known ones are: model, limit, share`},
		{Overrides{"nothing-like-it": "1"}, `unknown parameter "nothing-like-it". The known`},
		{Overrides{"limit": "many"}, `parameter limit: found "many", expected an integer like its default 200`},
		{Overrides{"limit": "1.5"}, "expected an integer"},
		{Overrides{"limit": "99999999999999999999"}, "out of range"},
		{Overrides{"share": "half"}, "expected a number like its default 0.5"},
		{Overrides{"share": "NaN"}, "not a finite number"},
		{Overrides{"quick": "1"}, "expected true or false"},
		{Overrides{"size": "4294967296"}, "out of the range of int32"},
		{Overrides{"seed": "-1"}, "out of the range of uint8"},
		{Overrides{"seed": "256"}, "out of the range of uint8"},
	} {
		nb := parameterised(parametersSource)
		_, err := nb.Inject(test.overrides)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: found the error %v, expected %q", test.overrides, err, test.want)
		}
		if len(nb.Cells) != 3 {
			t.Errorf("%v: the notebook was changed all the same", test.overrides)
		}
	}
	if _, err := code("x").Inject(Overrides{"a": "1"}); err == nil || !strings.Contains(err.Error(), "this notebook has none") {
		t.Errorf("found the error %v", err)
	}
}

func TestOverridesAreKeyEqualsValue(t *testing.T) {
	o := Overrides{}
	for _, good := range []string{"a=1", "b=", "c=x=y", " d = e "} {
		if err := o.Set(good); err != nil {
			t.Error(err)
		}
	}
	if want := (Overrides{"a": "1", "b": "", "c": "x=y", "d": " e "}); !reflect.DeepEqual(o, want) {
		t.Errorf("found %q, expected %q", o, want)
	}
	for _, bad := range []string{"a", "=1", "", "a=2"} {
		if err := o.Set(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestNearestFindsTypingErrorsOnly(t *testing.T) {
	names := []string{"model", "limit", "seed"}
	for name, want := range map[string]string{"modle": "model", "limits": "limit", "Seed": "seed", "temperature": "", "": ""} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%q: found %q, expected %q", name, got, want)
		}
	}
}
