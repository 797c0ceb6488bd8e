package main

import "testing"

// TestDoctorCountsBytesOfEachCard: what fits is said for one card and for all.
func TestDoctorCountsBytesOfEachCard(t *testing.T) {
	for _, c := range []struct {
		mib  []string
		want string
	}{
		{nil, ""}, {[]string{"[N/A]"}, ""},
		{[]string{"81559"}, "1 of 80 GiB: weights of 54 GiB fit on each, 29 billion parameters in bfloat16"},
		{[]string{"143771", "143771"}, "2 of 140 GiB: weights of 95 GiB fit on each, 51 billion parameters in bfloat16, and 102 billion cut over 2 (-p devices=2)"},
	} {
		if got := cardsText(c.mib); got != c.want {
			t.Errorf("%v: %q, expected %q", c.mib, got, c.want)
		}
	}
}
