package report

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Digits is the number of significant digits shown: enough for an accuracy in tenths of a percent or a
// p value, and no more than a reader can compare.
const Digits = 4

// Missing stands for nil and NaN.
const Missing = "–"

// Text returns the value as shown: integers whole, floats with Digits significant digits, nil and NaN as
// Missing, strings unchanged, any other value as fmt prints it.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return Missing
	case string:
		return v
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return strconv.FormatInt(i, 10)
		}
		if f, err := v.Float64(); err == nil {
			return Float(f)
		}
		return v.String()
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Float32, reflect.Float64:
		return Float(r.Float())
	case reflect.String:
		return r.String()
	}
	return fmt.Sprint(v)
}

// Exact returns a number without loss, as JSON would write it, and "" for what is not a number.
func Exact(v any) string {
	if !IsNumber(v) {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "" // NaN and infinities: Text says what there is to say
	}
	return string(b)
}

// IsNumber reports whether the value is a number, which a table aligns to the right.
func IsNumber(v any) bool {
	if _, ok := v.(json.Number); ok {
		return true
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return true
	}
	return false
}

// Float writes a float64 with Digits significant digits: plain notation between 1e-4 and 1e6, scientific
// outside, a true minus sign, and no digits lost in whole numbers.
func Float(f float64) string {
	var s string
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return Missing
	case math.IsInf(f, 0):
		s = map[bool]string{true: "∞", false: "-∞"}[f > 0]
	case a == math.Trunc(a) && a < 1e15:
		s = strconv.FormatFloat(f, 'f', 0, 64)
		if s == "-0" {
			s = "0"
		}
	case a < 1e-4 || a >= 1e6:
		s = strconv.FormatFloat(f, 'e', Digits-2, 64)
	default:
		decimals := Digits - 1 - int(math.Floor(math.Log10(a)))
		limit := Digits
		if a < 1e-3 {
			limit++ // 0.00041 still says something
		}
		s = strconv.FormatFloat(f, 'f', min(max(decimals, 0), limit), 64)
	}
	return Minus(s)
}

// Minus replaces the hyphens of a written number by minus signs, which are as wide as a plus.
func Minus(s string) string { return strings.ReplaceAll(s, "-", "−") }
