package cluster

import (
	"slices"
	"testing"
)

// TestPartsHaveCardsOfTheirOwn: as many as a model is cut over, and several parts on one only where that is asked.
func TestPartsHaveCardsOfTheirOwn(t *testing.T) {
	for _, c := range []struct {
		visible         string
		devices, atOnce int
		want            []string
	}{
		{"0,1", 0, 0, []string{"0", "1"}},
		{"0,1", 1, 1, []string{"0"}},
		{"3,5,GPU-aa,7,1", 2, 0, []string{"3,5", "GPU-aa,7"}},
		{"0,1", 0, 3, []string{"0", "1", "0"}},
		{"0,1,2", 4, 0, nil},
		{"", 0, 0, nil},
	} {
		t.Setenv("CUDA_VISIBLE_DEVICES", c.visible)
		s := Submission{Backend: "xla:cuda", Devices: c.devices, AtOnce: c.atOnce}
		got, err := s.places()
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
		if c.want == nil {
			fails(t, err, "a part takes", "CUDA_VISIBLE_DEVICES")
		}
	}
}
