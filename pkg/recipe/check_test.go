package recipe

import (
	"encoding/json"
	"testing"

	"github.com/attune-lab/attune/pkg/note"
)

func TestParametersOfResultsAreWhatTheFlagTakes(t *testing.T) {
	got := ParametersOf(&note.Results{Parameters: map[string]any{
		"i": 200.0, "big": 1e9, "f": 0.25, "s": "a b", "b": true, "n": json.Number("3"),
	}})
	want := map[string]string{"i": "200", "big": "1000000000", "f": "0.25", "s": "a b", "b": "true", "n": "3"}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s is %q, expected %q", name, got[name], text)
		}
	}
}
