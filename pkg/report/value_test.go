package report

import (
	"encoding/json"
	"math"
	"testing"
)

func TestText(t *testing.T) {
	type named float32
	for _, c := range []struct {
		in   any
		want string
	}{
		{nil, "–"}, {"a<b", "a<b"}, {true, "true"}, {14042, "14042"}, {int64(9007199254740993), "9007199254740993"},
		{0.61333333, "0.6133"}, {-0.02, "−0.0200"}, {12.345678, "12.35"}, {99999.5, "100000"}, {0.0, "0"},
		{math.Copysign(0, -1), "0"}, {1.0, "1"}, {3e-7, "3.00e−07"}, {1.5e9 + 0.5, "1.50e+09"}, {math.NaN(), "–"},
		{math.Inf(1), "∞"}, {math.Inf(-1), "−∞"}, {json.Number("0.25"), "0.2500"}, {json.Number("12"), "12"},
		{named(0.5), "0.5000"}, {0.000123456, "0.00012"}, {0.0041, "0.0041"},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("Text(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestExactKeepsEveryDigitAndMarksOnlyNumbers(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{math.Nextafter(0.3, 1), "0.30000000000000004"}, {int64(9007199254740993), "9007199254740993"},
		{json.Number("1e3"), "1e3"}, {"12", ""}, {nil, ""}, {true, ""}, {math.NaN(), ""},
	} {
		if got := Exact(c.in); got != c.want {
			t.Errorf("Exact(%v) = %q, want %q", c.in, got, c.want)
		}
	}
	if IsNumber("12") || !IsNumber(float32(1)) || !IsNumber(json.Number("1")) {
		t.Error("IsNumber must hold for numbers only")
	}
}
